// Fills the tab "Gurukul" of Locust's page: shows our own page in it while the tab is chosen.
(() => {
  const here = document.currentScript.src.replace(/\/tab\.js.*$/, "");
  let frame = null;
  const dark = () => {
    const [red] = getComputedStyle(document.body).backgroundColor.match(/\d+/) || [255];
    return Number(red) < 128;
  };
  const dress = () => {
    if (frame && frame.contentDocument) {
      frame.contentDocument.documentElement.style.colorScheme = dark() ? "dark" : "light";
    }
  };
  const chosen = () => {
    const tab = document.querySelector('[role="tab"][aria-selected="true"]');
    return tab !== null && tab.textContent.trim() === "Gurukul";
  };
  const look = () => {
    if (!chosen()) {
      if (frame) { frame.remove(); frame = null; }
      return;
    }
    if (!frame) {
      frame = document.createElement("iframe");
      frame.id = "gurukul";
      frame.title = "Gurukul: the run so far";
      frame.src = here;
      frame.style.cssText = "position:fixed;left:0;width:100%;bottom:0;border:0;z-index:1";
      frame.addEventListener("load", dress);
      document.body.append(frame);
    }
    const top = document.querySelector('[role="tablist"]').getBoundingClientRect().bottom + 8;
    frame.style.top = `${top}px`;
    frame.style.height = `calc(100vh - ${top}px)`;
    dress();
  };
  addEventListener("resize", look);
  const watched = { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-selected"] };
  new MutationObserver(look).observe(document.getElementById("root"), watched);
  look();
})();
