"""The figures of the embedded models in their cards come from one command."""

from __future__ import annotations

import shutil

import pytest

from asr_server.places import EMBEDDED_MODELS, ROOT
from lab.training.cards import BEGIN, END, replace_figures, write_cards
from lab.training.equal_error_rate import EqualError
from lab.training.evaluate_speakers import CARD_BEGIN, MeetingFigures, card

DECODING = {
    **{"names": 180, "recall_without": 0.9, "cer_others_without": 0.03},
    **{f"recall_told_{names}": 0.95 for names in ("30", "100", "all")},
    **{f"recall_gained_{names}": 0.5 for names in ("30", "100", "all")},
    **{f"cer_others_told_{names}": 0.031 for names in ("30", "100", "all")},
    **{"ngram_order": 5, "ngram_weight": 0.3, "cer_without_ngrams": 0.06, "cer_with_ngrams": 0.03},
    **{"cer_sentences_without_ngrams": 0.01, "cer_sentences_with_ngrams": 0.004},
    **{"clips": 1000, "clips_with_text": 82, "clips_with_sure_text": 4},
    **{"clips_with_text_behind_vad": 6, "clips_with_sure_text_behind_vad": 1},
}
MANDARIN = {
    "decoding": DECODING,
    **{f"cer_{c}": 0.021 for c in ("clean", "noisy")},
    **{f"joined_{c}{x}": 0.5 for c in ("clean", "noisy") for x in ("", "_single", "_ratio")},
    **{"nonspeech_empty": 99, "nonspeech_clips": 100},
    **{f"word_start_error_ms_{kind}": 28.4 for kind in ("median", "mean")},
}
LANGUAGE = {
    **{f"cer_{how}_{c}": 0.123 for how in ("told", "auto") for c in ("clean", "noisy")},
    **{"cer_withitn_noisy": 0.2, "joined_noisy_ratio": 0.77},
    **{"language_right_clean": 0.991, "language_right_noisy": 0.972},
    **{"language_right_long": 0.995, "utterances_long": 425},
}
REPORT = {
    "paraformer": MANDARIN,
    "paraformer_online": MANDARIN,
    "sensevoice": {
        **dict.fromkeys(("zh", "en", "yue", "ja", "ko", "all"), LANGUAGE),
        "decoding": DECODING,
        "nonspeech": {"empty": 98, "clips": 100, "tagged_nospeech": 97},
        "en festival:ked": {"utterances": 80, "cer_auto_clean": 0.2, "cer_auto_noisy": 0.3},
    },
}


@pytest.fixture
def cards(tmp_path):
    models = tmp_path / "embedded_models"
    for name in REPORT:
        (models / name).mkdir(parents=True)
        shutil.copy(EMBEDDED_MODELS / name / "README.md", models / name)
    shutil.copy(ROOT / "docs" / "models.md", tmp_path)
    return models


def test_each_card_and_the_overview_get_their_figures_and_keep_the_rest(cards, tmp_path):
    overview = tmp_path / "models.md"
    paths = [*(cards / name / "README.md" for name in REPORT), overview]
    before = [path.read_text(encoding="utf-8") for path in paths]
    assert write_cards(REPORT, cards, overview) == paths
    after = [path.read_text(encoding="utf-8") for path in paths]
    for old, new in zip(before, after, strict=True):
        assert old.partition(BEGIN)[0] == new.partition(BEGIN)[0]
        assert old.partition(END)[2] == new.partition(END)[2]
        assert len(old.splitlines()) >= len(new.splitlines()) - 4
    assert "| character error rate | 2.1 % | 2.1 % |" in after[0]
    assert "| yue | 12.3 % |" in after[2]
    assert "right in 99.5 % of the 425 noisy recordings of two seconds and more" in after[2]
    assert all("Text on 82 of 1000 other clips" in text for text in after[:3])
    assert all("of 180 names 90.0 % are found without" in text for text in after[:3])
    assert all("forty recordings and others (50 % of the missing" in text for text in after[:3])
    assert all("1.00 to 0.40 % errors (60 % fewer) on 1,000" in text for text in after[:3])
    assert all("6.00 to 3.00 % errors (50 % fewer) on the" in text for text in after[:3])
    assert "| language tag right (`auto`), clean and in noise | | | 99.1 %, 97.2 % |" in after[3]


def test_the_overview_is_left_where_models_are_missing(cards, tmp_path):
    report = {"paraformer": MANDARIN}
    assert write_cards(report, cards, tmp_path / "none.md") == [cards / "paraformer" / "README.md"]


def test_a_text_without_a_place_for_figures_is_refused(cards, tmp_path):
    (cards / "paraformer" / "README.md").write_text("nothing\n")
    with pytest.raises(ValueError, match="expected <!-- figures"):
        write_cards({"paraformer": MANDARIN}, cards, tmp_path / "none.md")


def test_the_speaker_models_figures_come_from_a_command_of_their_own(tmp_path):
    path = tmp_path / "README.md"
    shutil.copy(EMBEDDED_MODELS / "speaker" / "README.md", path)
    before = path.read_text(encoding="utf-8").partition(CARD_BEGIN)[0]
    cases = {(0.1, False): MeetingFigures(0.08, 0.03, 0.045, 24, 30)}
    replace_figures(path, CARD_BEGIN, card({1.5: EqualError(0.046, 0.45)}, cases))
    text = path.read_text(encoding="utf-8")
    assert text.startswith(before)
    assert "| 1.5 s | 4.6 % | 0.45 |" in text
    assert "| 10 % | found | 15.5 % | 8.0 % | 3.0 % | 4.5 % | 24 of 30 |" in text
    with pytest.raises(ValueError, match="expected <!-- figures"):
        replace_figures(path, BEGIN, "")
