"""Korean words; each is written between spaces, numbers in Sino-Korean syllables."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "greeting": "안녕하세요 감사합니다 네 아니요 미안합니다",
    "day": "오늘 내일 어제 모레",
    "part": "지금 아침 오전 오후 저녁",
    "city": "서울 부산 대구 베이징 상하이 도쿄",
    "place": "회사 학교 병원 은행 공항 호텔 도서관 식당",
    "device": "텔레비전 창문 에어컨 전등 컴퓨터 라디오",
    "thing": "음악 전화 회의 날씨 이름 사진 뉴스",
    "goods": "커피 사과 우유 책 물 빵 바나나",
    "vehicle": "자동차 기차 비행기 버스 지하철",
    "person": "선생님 학생 친구 어머니 아버지 김민수 박지훈 최수진",
    "who": "저는 우리는 당신은",
    "go": "갑니다 옵니다 떠납니다",
    "take": "먹습니다 마십니다 봅니다 듣습니다 좋아합니다 샀습니다",
    "command": "열어 닫아 켜 꺼 틀어",
    "adjective": "큽니다 작습니다 덥습니다 춥습니다 비쌉니다 좋습니다",
    "unit": "원 도 명 번 킬로미터 분",
    "question": "무엇 얼마 어디 언제 누구 왜",
    "other": "주세요 입니다 입니까 있습니다 없습니다 에서 그리고 하지만 아주 번호는 어때요",
}
TEMPLATES: tuple[str, ...] = (
    "{device} {command} 주세요 .",
    "{day} {city} 날씨 어때요 ?",
    "{city} {day} {part} {adjective} .",
    "{who} {day} {place} 에서 {goods} {take} .",
    "{who} {city} {go} .",
    "{who} {goods} {take} .",
    "{person} 그리고 {person} {place} {go} .",
    "{goods} 얼마 입니까 ?",
    "{goods} {number} 원 입니다 .",
    "{place} 어디 입니까 ?",
    "{thing} 언제 입니까 ?",
    "{person} 누구 입니까 ?",
    "전화 번호는 {digits} 입니다 .",
    "{person} 번호는 {digits} 입니다 .",
    "회의 {day} {part} 있습니다 .",
    "{greeting} , {person} .",
    "{city} 에서 {city} {vehicle} 있습니다 .",
    "{person} {vehicle} 아주 {adjective} .",
    "{day} {number} 도 입니다 .",
    "{number} {unit} 입니다 .",
    "{goods} 없습니다 , 하지만 {goods} 있습니다 .",
)
COMMA, FULL_STOP = ",", "."
_DIGITS = ["영", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구"]


def digit(value: int) -> tuple[str, str]:
    """One digit as (text, sound)."""
    return _DIGITS[value], _DIGITS[value]


def number(value: int) -> list[tuple[str, str]]:
    """A number below 10^8 in Sino-Korean syllables."""
    if value == 0:
        return [digit(0)]
    upper, lower = divmod(value, 10_000)
    words = [*(_below_ten_thousand(upper) if upper > 1 else []), ("만", "만")] if upper else []
    return words + _below_ten_thousand(lower)


def _below_ten_thousand(value: int) -> list[tuple[str, str]]:
    words: list[tuple[str, str]] = []
    for unit, name in ((1000, "천"), (100, "백"), (10, "십")):
        count, value = divmod(value, unit)
        if count > 1:
            words.append(digit(count))
        if count:
            words.append((name, name))
    return words + ([digit(value)] if value else [])
