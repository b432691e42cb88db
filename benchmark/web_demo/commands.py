"""`demo`: a web page on this machine that runs model files side by side."""

from __future__ import annotations

from model.foundation.command_line import flags


def demo(*, model: flags.Models = [], port: int = 8000) -> None:
    """Serve a page that runs models side by side in the browser, on a picture or the webcam.

    Boxes, landmarks, scores and milliseconds of each; more models can be dropped in. The page is for this
    machine only and loads nothing from elsewhere. The runtime (LiteRT.js, 12 MB) is fetched through npm
    once. Ctrl-C ends it.

    Args:
        port: On 127.0.0.1.

    Raises:
        InputError: a model is no whole TFLite file, the port is taken, or the runtime cannot be fetched.
    """
    from contextlib import suppress

    from benchmark.web_demo.runtime import NAME, runtime_folders
    from benchmark.web_demo.server import ADDRESS, Served, server
    from model.foundation.command_line.progress import progress_console
    from model.runtime.flatbuffer import read_content

    for path in model:
        read_content(path)
    with progress_console().status(f"fetching {NAME}"):
        folders = runtime_folders()
    with server(Served(NAME, folders, model), port) as running:
        print(f"http://{ADDRESS}:{running.server_port}/ shows the page; ctrl-C ends it", flush=True)
        with suppress(KeyboardInterrupt):  # the way to end it, not an accident
            running.serve_forever()
