"""A tab in Locust's web page, and a page of its own at `/gurukul`, that show a run while it is under way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify
from locust.env import Environment

_HERE = Path(__file__).parent
TAB = {"key": "gurukul", "title": "Gurukul"}
_SCRIPT = '<script src="{base}/gurukul/tab.js"></script></body>'


def add_tab(environment: Environment, seen: Callable[[], dict[str, Any]]) -> None:
    """Adds tab and page to the web page that Locust is about to serve; where it serves none nothing happens.

    Args:
        environment: Locust's, of a process that is alone or of a master.
        seen: what there is to show now, as JSON can say it; nothing before the first run.
    """
    web = environment.web_ui
    if web is None or web.app is None:
        return
    base = getattr(environment.parsed_options, "web_base_path", None) or ""
    pages = Blueprint("gurukul", __name__, url_prefix=f"{base}/gurukul")

    def page() -> Response:
        return _file("live.html", "text/html; charset=utf-8")

    def script() -> Response:
        return _file("tab.js", "text/javascript; charset=utf-8")

    def state() -> Response:
        runner = environment.runner
        return jsonify({"state": runner.state if runner else "missing", **seen()})

    pages.add_url_rule("", view_func=web.auth_required_if_enabled(page))
    pages.add_url_rule("/tab.js", view_func=script)
    pages.add_url_rule("/state", view_func=web.auth_required_if_enabled(state))

    def with_script(response: Response) -> Response:
        """Adds our script to Locust's own page; it fills the tab."""
        if response.mimetype == "text/html" and b"window.templateArgs" in (text := response.get_data()):
            response.set_data(text.replace(b"</body>", _SCRIPT.format(base=base).encode(), 1))
        return response

    web.app.register_blueprint(pages)
    web.app.after_request(with_script)
    web.template_args["extended_tabs"] = [*web.template_args.get("extended_tabs", []), TAB]


def _file(name: str, kind: str) -> Response:
    return Response((_HERE / name).read_bytes(), content_type=kind)
