"""What messages mean, without a socket."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_client.results import Sentence, Word
from asr_client.text.alignment import text_units
from asr_gateway.funasr.protocol import MessageError, UtteranceOptions, parse_message
from asr_gateway.funasr.replies import (
    closing_reply,
    end_acknowledgement,
    error_reply,
    made_final,
    partial_reply,
    recording_reply,
    refusal_reply,
    sentence_reply,
)


def options_after(*messages: dict[str, object]) -> UtteranceOptions:
    options = UtteranceOptions()
    for message in messages:
        options = parse_message(json.dumps(message)).apply(options)
    return options


def test_defaults_are_those_of_funasrs_server():
    assert options_after({}) == UtteranceOptions(
        mode="2pass",
        wav_name="wav-default-id",
        wav_format="pcm",
        sample_rate=16000,
        chunk_size=(5, 10, 5),
        hotwords="",
        itn=True,
    )


def test_later_messages_replace_single_fields():
    options = options_after({"mode": "online", "wav_name": "a"}, {"wav_name": "b", "itn": False})
    assert (options.mode, options.wav_name, options.itn) == ("online", "b", False)


@pytest.mark.parametrize(
    "value", [[0, 8, 4], "0,8,4", "0, 8, 4", "[0,8,4]", ["0", "8", "4"], [0.0, 8.0, 4.0]]
)
def test_chunk_size_in_every_form(value):
    assert options_after({"chunk_size": value}).chunk_size == (0, 8, 4)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("阿里巴巴 达摩院", "阿里巴巴 达摩院"),
        ("阿里巴巴,达摩院", "阿里巴巴,达摩院"),
        ("阿里巴巴 20\n达摩院 30", "阿里巴巴 20\n达摩院 30"),
        ('{"阿里巴巴":20,"达摩院":30}', {"阿里巴巴": 20, "达摩院": 30}),
        ({"阿里巴巴": 20}, {"阿里巴巴": 20}),
        ({"阿里巴巴": "20"}, {"阿里巴巴": 20}),  # a Java client
        ('{"阿里巴巴":"20"}', {"阿里巴巴": 20}),
        (["阿里巴巴", "达摩院"], ["阿里巴巴", "达摩院"]),
        ('["阿里巴巴"]', ["阿里巴巴"]),
        ({}, ""),
        ("{}", ""),
        ([], ""),
    ],
)
def test_hotwords_in_every_form(value, expected):
    hotwords = options_after({"hotwords": value}).hotwords
    assert (json.loads(hotwords) if hotwords[:1] in ("{", "[") else hotwords) == expected


@pytest.mark.parametrize("value", [16000, 16000.0, "16000"])
def test_sample_rate_in_every_form(value):
    assert options_after({"audio_fs": value}).sample_rate == 16000


def test_sensevoice_fields():
    options = options_after({"svs_lang": "YUE", "svs_itn": False})
    assert (options.svs_lang, options.svs_itn) == ("yue", False)
    for word, language in (("zh-CN", "zh"), ("zh-Hans", "zh"), ("Chinese", "zh"), ("", "auto")):
        assert options_after({"svs_lang": word}).svs_lang == language


def test_a_client_may_choose_the_model_of_the_second_pass():
    assert options_after({"model": "paraformer"}).model == "paraformer"


def test_end_of_input_in_both_forms():
    assert parse_message('{"is_speaking": false}').is_speaking is False
    assert parse_message('{"is_finished": true}').is_speaking is False
    assert parse_message('{"wav_name": "a"}').is_speaking is None
    assert parse_message('{"is_speaking": false, "is_end": true}').wants_end


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("", "JSON"),
        ("hello", "JSON"),
        ("[]", "object"),
        ("null", "object"),
        ("[" * 100_000, "JSON"),
        (json.dumps({"hotwords": "x" * 2_000_000}), "characters"),
    ],
)
def test_what_is_no_message_is_refused_with_a_reason(message, complaint):
    with pytest.raises(MessageError, match=complaint) as caught:
        parse_message(message)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ('{"mode": "3pass"}', "mode"),
        ('{"mode": ["2pass"]}', "mode"),
        ('{"chunk_size": [5, 10]}', "chunk_size"),
        ('{"chunk_size": [5, 0, 5]}', "chunk_size"),
        ('{"chunk_size": "a,b,c"}', "chunk_size"),
        ('{"chunk_size": {"a": 1}}', "chunk_size"),
        ('{"chunk_size": [5, 1e999, 5]}', "chunk_size"),
        ('{"audio_fs": 0}', "audio_fs"),
        ('{"audio_fs": "fast"}', "audio_fs"),
        ('{"audio_fs": true}', "audio_fs"),
        ('{"audio_fs": NaN}', "audio_fs"),
        ('{"hotwords": 5}', "hotwords"),
        ('{"hotwords": {"a": []}}', "hotwords"),
        ('{"hotwords": "{broken"}', "hotwords"),
        ('{"is_speaking": "perhaps"}', "is_speaking"),
        ('{"is_speaking": []}', "is_speaking"),
        ('{"itn": 5}', "itn"),
        ('{"svs_lang": "tlh"}', "svs_lang"),
        ('{"model": "../vad"}', "model"),
        ('{"wav_name": {}}', "wav_name"),
        ('{"wav_name": "\\ud800"}', "wav_name"),
        (json.dumps({"wav_name": "x" * 2000}), "wav_name"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused_with_a_reason(message, complaint):
    parsed = parse_message(message)
    assert parsed.fields == {} and parsed.is_speaking is None
    (refusal,) = parsed.refusals
    assert refusal.startswith(complaint) and "expected" in refusal
    assert len(refusal) < 500


def test_the_fields_beside_a_wrong_one_count():
    parsed = parse_message('{"is_speaking": false, "itn": "perhaps", "wav_name": "a", "is_end": 1}')
    assert (parsed.is_speaking, parsed.wants_end) == (False, True)
    assert parsed.fields == {"wav_name": "a"} and len(parsed.refusals) == 1


@pytest.mark.parametrize("name", ["pcm", "PCM", "s16le", "pcm16", "PCM_S16LE", "raw"])
def test_names_of_samples_without_a_header(name):
    assert options_after({"wav_format": name}).is_pcm


@pytest.mark.parametrize("name", ["wav", "mp3", "others", ""])
def test_other_formats_are_files(name):
    assert not options_after({"wav_format": name}).is_pcm


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    (
        *("mode", "wav_name", "wav_format", "audio_fs", "chunk_size", "hotwords", "itn"),
        *("svs_lang", "svs_itn", "model", "is_speaking", "is_finished", "is_end", "anything"),
    )
)


@given(st.dictionaries(FIELDS, JSON | st.sampled_from(["2pass", "5,10,5", "zh", "{"])))
def test_any_object_is_read_or_refused(message):
    try:
        parsed = parse_message(json.dumps(message))
    except MessageError:
        return
    options = parsed.apply(UtteranceOptions())
    for reply in (
        made_final(closing_reply(options), "warning"),
        refusal_reply(options, "no"),
        end_acknowledgement(options),
        error_reply(options, "error", wants_end=parsed.wants_end),
        partial_reply(options, "text", 0, first=True, end_ms=None),
    ):
        json.dumps(reply, ensure_ascii=False, allow_nan=False).encode()


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        parse_message(text)
    except MessageError as error:
        assert "expected" in str(error)


# Replies


def spoken(text: str) -> Sentence:
    """A sentence whose n-th word is at n to n + 1 seconds."""
    words = [
        Word(unit.text, 1000 * index, 1000 * index + 900)
        for index, unit in enumerate(text_units(text))
    ]
    return Sentence(text, 0, 1000 * len(words), words)


def test_every_reply_has_what_clients_read():
    options, sentence = UtteranceOptions(wav_name="a"), spoken("你好。")
    for reply in (
        partial_reply(options, "你", 0, first=True, end_ms=900),
        sentence_reply(options, sentence, 0, tags=False),
        recording_reply(options, "你好。", [sentence]),
        closing_reply(options),
        end_acknowledgement(options),
        error_reply(options, "no", wants_end=False),
    ):
        assert {"mode", "text", "wav_name", "is_final"} <= set(reply)
        assert isinstance(reply.get("timestamp", ""), str)


def test_only_the_closing_messages_are_final():
    options = UtteranceOptions()
    assert not partial_reply(options, "你", 0, first=True, end_ms=None)["is_final"]
    assert not sentence_reply(options, spoken("你好。"), 0, tags=False)["is_final"]
    assert not refusal_reply(options, "no")["is_final"]
    assert closing_reply(options)["is_final"]
    assert made_final(sentence_reply(options, spoken("你好。"), 0, tags=False), None)["is_final"]
    assert recording_reply(options, "", [])["is_final"]


def test_a_sentence_without_times_has_no_stamps():
    reply = sentence_reply(UtteranceOptions(), Sentence("你好。", 0, 900), 3, tags=False)
    assert "timestamp" not in reply and "stamp_sents" not in reply
    assert (reply["index"], reply["start_time"], reply["end_time"]) == (3, 0, 900)
