"""A page of another origin, in Chromium, beside somebody who uses the gateway."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway.browser import open_page
from tests.gateway.gateways import recognise, running_gateway, spoken_pcm, texts

AUDIO = spoken_pcm(1)

# What a page can try: with and without preflight, with what needs no permission, and by sockets.
ATTACK = """async ({http, ws}) => {
  const outcomes = [];
  const attempt = async (name, work) => {
    try { outcomes.push([name, String(await work())]); }
    catch (error) { outcomes.push([name, "failed"]); }
  };
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(32000)]), "a.wav");
  const target = http + "/v1/audio/transcriptions";
  const post = (more) => fetch(target, {method: "POST", body: form, ...more});
  await attempt("post", async () => (await post({})).status);
  await attempt("post no-cors", async () => (await post({mode: "no-cors"})).type);
  await attempt("post text", async () =>
    (await fetch(target, {method: "POST", body: "x", mode: "no-cors"})).type);
  await attempt("models", async () => (await fetch(http + "/v1/models")).status);
  await attempt("script", () => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = http + "/static/js/app.js";
    script.onload = () => resolve("loaded");
    script.onerror = reject;
    document.head.append(script);
  }));
  const open = () => new Promise((resolve) => {
    const socket = new WebSocket(ws + "/");
    socket.onopen = () => resolve("open");
    socket.onclose = () => resolve("closed");
  });
  const sockets = await Promise.all(Array.from({length: 150}, open));
  outcomes.push(["sockets", String(sockets.filter((state) => state === "open").length)]);
  return outcomes;
}"""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_foreign_page_can_neither_transcribe_nor_lock_out(triton_url, browser, address, name):
    with running_gateway(triton_url) as gateway:
        port = gateway.address.rpartition(":")[2]
        page = open_page(browser, address, bypass_csp=True)
        urls = {"http": f"http://{name}:{port}", "ws": f"ws://{name}:{port}"}
        outcomes = dict(page.evaluate(ATTACK, urls))
        # An opaque answer says nothing to the page; the gateway's counters say what it was.
        assert outcomes.pop("post no-cors") == outcomes.pop("post text") == "opaque"
        assert outcomes == {
            "post": "failed",
            "models": "failed",
            "script": "failed",
            "sockets": "0",
        }
        counters = gateway.server.gateway.metrics.page().decode()
        assert 'utterances_total{mode="http"' not in counters
        assert float(counters.split('refused_total{reason="origin"} ')[1].split("\n")[0]) >= 154
        with ThreadPoolExecutor(1) as pool:  # this thread's loop is Playwright's
            heard = pool.submit(asyncio.run, recognise(gateway, AUDIO)).result()
        assert texts(heard, "2pass-offline")
        page.context.close()


def test_a_page_that_was_opened_as_a_file_is_let_in_by_name(triton_url, browser, tmp_path):
    """As FunASR's HTML client is; its origin is null."""
    file = tmp_path / "page.html"
    file.write_text("<title>a page</title>")
    speak = """async (url) => new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.onopen = () => {
        socket.send(JSON.stringify({mode: "offline", is_speaking: true}));
        socket.send(new Uint8Array(32000));
        socket.send(JSON.stringify({is_speaking: false}));
      };
      socket.onmessage = (message) => resolve(JSON.parse(message.data).is_final);
      socket.onclose = () => resolve("closed");
    })"""
    for allowed, expected in (((), "closed"), (("null",), True)):
        with running_gateway(triton_url, allowed_origins=allowed) as gateway:
            page = open_page(browser, file.as_uri())
            assert page.evaluate(speak, gateway.ws) == expected
            page.context.close()
