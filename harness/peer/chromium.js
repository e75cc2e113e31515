// One RTCPeerConnection of a page. Python carries its signals, and is told of events by gurukulTell(JSON).
window.gurukul = (() => {
  const DATA = "gurukul", HEARTBEAT = "gurukul-heartbeat";
  let pc, channel;
  const tell = (event, more = {}) => gurukulTell(JSON.stringify({event, ...more}));

  function take(one) {
    channel = one;
    one.onmessage = (message) => tell("data", {text: message.data});
    if (one.readyState === "open") tell("open");
    else one.onopen = () => tell("open");
  }

  function came({channel: one}) {
    if (one.label === DATA) take(one);
    if (one.label !== HEARTBEAT) return;
    one.onmessage = ({data}) => data.startsWith("ping ") && one.send("pong " + data.slice(5));
  }

  // The pair comes with the event: statistics are cached, and may show the one before it.
  function watch(transport) {
    transport.onselectedcandidatepairchange = () => {
      const pair = transport.getSelectedCandidatePair();
      tell("path", {ufrags: pair ? [pair.local.usernameFragment, pair.remote.usernameFragment] : []});
    };
  }

  // The description is told before it is set, and so before the first candidate of it.
  async function describe(description) {
    tell("description", {type: description.type, sdp: description.sdp});
    await pc.setLocalDescription(description);
    if (pc.sctp) watch(pc.sctp.transport.iceTransport);
  }

  function start(iceServers, relayOnly) {
    pc = new RTCPeerConnection({iceServers, iceTransportPolicy: relayOnly ? "relay" : "all"});
    pc.onicecandidate = ({candidate}) => tell("candidate", {candidate: candidate ? candidate.toJSON() : null});
    pc.oniceconnectionstatechange = () => tell("ice", {state: pc.iceConnectionState});
    pc.onconnectionstatechange = () => tell("connection", {state: pc.connectionState});
    pc.ondatachannel = came;
  }

  async function offer() {
    if (!channel) take(pc.createDataChannel(DATA));
    await describe(await pc.createOffer());
  }

  async function restart() {
    pc.restartIce();
    await offer();
  }

  async function accept(description) {
    await pc.setRemoteDescription(description);
    if (description.type === "offer") await describe(await pc.createAnswer());
  }

  // The pair in use, as W3C WebRTC statistics have it: types, the username fragment of our side, the round trip.
  async function path() {
    const stats = await pc.getStats();
    for (const one of stats.values()) {
      if (one.type !== "transport" || !one.selectedCandidatePairId) continue;
      const pair = stats.get(one.selectedCandidatePairId);
      const local = stats.get(pair.localCandidateId), remote = stats.get(pair.remoteCandidateId);
      return {
        local: local.candidateType, remote: remote.candidateType, ufrag: local.usernameFragment,
        relay: local.relayProtocol || "", rtt: pair.currentRoundTripTime,
      };
    }
    return null;
  }

  return {
    start, offer, restart, accept, path,
    add: (candidate) => pc.addIceCandidate(candidate),
    say: (text) => channel.send(text),
    close: () => pc && pc.close(),
  };
})();
