"""Words around Chinese numerals: what holds one and means none, and what says which it is."""

from __future__ import annotations

import re

from .chinese_numbers import NUMERALS

# Expressions, names and set phrases whose numerals stay words. Only those need a place here that
# hold what would be a number of its own (三十六计); single numerals stay words anyway.
_FIXED_PHRASES = """
不管三七二十一 五十步笑百步 四十不惑 四十而不惑 三十而立 五十知天命 五十而知天命 六十而耳顺
六十花甲 七十古来稀 人生七十 七老八十 三十六计 三十六策 七十二变 七十二行 三百六十行
七十二家房客 三十六行 九九八十一难 九九八十一 七七四十九 十八罗汉 十八层地狱 二十四史 二十四节气
二十四孝 二十四桥 二十八宿 十三陵 十三经 十三香 十三太保 十二生肖 十二指肠 十二月党人 一千零一夜
一百零八将 一百零八好汉 二百五 十万火急 十万个为什么 十万八千里 一万年太久 三十年河东 三十年河西
十天半月 十天半个月 十天八天 十月革命 十月怀胎 十月围城 十次九 十个八个 十人九 十家九 十室九空
十五贯 十五个吊桶 八千里路 三千弟子 弱水三千 后宫三千 三千世界 飞流直下三千尺 疑是银河落九天
白发三千丈 三千丈 百分百 三点一线 一点半点 二十年目睹 十日谈 七十二贤人 七十二烈士 三十六天罡
七十二地煞 二万五千里长征 两万五千里长征 十一黄金周 十一假期 十一长假 十一国庆 国庆十一 十一期间
十一放假 十一小长假 双十一 双十二 双十节 双十协定 十字 三一五晚会 十年功 二八年华 万万千千
千千万万 三三两两 十里 一五一十 正经八百 退六二五 板板六十四 行百里者半九十 半于九十 胜读十年书
说一千道一万 一百单八 九万大山 六万大山 十滴水 五胡十六国 十二金钗 十二属相 十六铺 十三行 五十铃
诗三百 唐诗三百首 八百壮士 八百孤寒 三十里铺 十二万分 十年怕井绳 大年三十 年三十
六十甲子 八百里加急 二十五史 四十二章经 十六字令 十四行诗 十二时辰 二十八星宿 五百罗汉
八万四千法门 八万四千烦恼 二十不惑 三十而已 六十耳顺 七十从心所欲 四十大盗 八百标兵 十二平均律
三千烦恼丝 三千宠爱 三千越甲 三千大千 三百六十五里路 三六九等 十五的月亮 十八里相送 八百里秦川
一九二九不出手 五十肩 五十音 十三妹 黄金十二宫 十二道金牌 四百八十寺 三十功名 百儿八十 四十五度仰望
"""
# Phrases that are made like these.
_PATTERNS = (
    "[二三四五六七八九]零[一二三四五六七八九][落散碎]",
    "(?:女大)?十八(?:般|变|相送|弯|掌|拍|怪|摸|罗汉)",
    "[千万]儿[一二两三四五六七八九][百千]",
    "[二三四五六七八九]点一线",
    "七七八八",
    "(?<=个)十三点",  # a fool
    "(?:[五六七八九][零〇]){2,}(?=年代|后)",  # several decades
    # The holiday of the first of October: 今年十一, 十一去哪儿.
    "(?<=[今明去每前后]年)十一(?![月日号年个点天岁次])",
    "(?<!第)十一(?=去|回[老家乡来]|放|出[去游行]|期间|假|前[后夕]|的机票|[你我他她咱]|想|打算|准备|旅)",
    "[一二]百(?:二十)?个(?:不?放心|不?愿意|不?乐意|不?情愿|不?答应|不?满意|不?同意)",
    "以[十百千万亿]{1,3}计",
    "十年(?=树木|磨|寒窗|河东|如一日|生死|八年|一剑|动乱|浩劫|内乱|九[旱不]|窗下|读书|生聚)",
    "(?:路易|亨利|查理|爱德华|乔治|腓特烈)十[一二三四五六七八九]?",
    "(?:十[一二三四五六七八九]|二十)大(?![小街道概约])",  # congresses
)
# Days that history is called after: 九一八事变, 一二九运动.
_DAYS = (
    f"(?<![{NUMERALS}])[一二三四五六七八九十]{{2,4}}"
    "(?:事变|运动|惨案|事件|起义|政变|战役|会战|兵变|抗战|革命|大捷|指示|讲话|工程)"
)
# A power and a mixed number are one number, of which figures would write a part: 二的十次方.
_JOINED = f"[{NUMERALS}]+的负?[{NUMERALS}]+次[方幂]|[{NUMERALS}]+又[{NUMERALS}]+分之[{NUMERALS}]+"
# Minutes before or past an hour, of which figures would write the hour alone: 差五分十点.
_BESIDE_HOUR = (
    f"(?:差|还有)(?:[{NUMERALS}]+分钟?|[一三]刻钟?)[就到]?[{NUMERALS}]+点"
    f"|[{NUMERALS}]+点钟?[差过](?:[{NUMERALS}]+分|[一三]刻)"
)
_PHRASES = sorted(_FIXED_PHRASES.split(), key=len, reverse=True)
# 十分 is a word, but 十分钟, 十分之一 and 十分二十秒 hold a number.
_WORD_TEN = rf"(?<![{NUMERALS}点])十二?分(?!钟|之[{NUMERALS}]|[{NUMERALS}]+秒)"


def _apart(phrase: str) -> str:
    """Return a pattern for a phrase that no longer number reaches into: 二百五, not 二百五十."""
    first = f"(?<![{NUMERALS}])" if phrase[0] in [*NUMERALS, "(", "["] else ""
    last = f"(?![{NUMERALS}])" if phrase[-1] in NUMERALS else ""
    return first + phrase + last


# 八月十五 without 日 or 号 is most often a feast of the lunar calendar.
_FEAST = (
    rf"(?<![{NUMERALS}])(?:十[一二]|[一二三四五六七八九十])月[二三]?十[一二三四五六七八九]?"
    rf"(?![日号月{NUMERALS}个天年岁元块人几多])"
)

# What a unit may be followed by as its part: 三小时二十分钟.
PARTS = {
    "年": ("个月", "天"),
    "岁": ("个月",),
    "个月": ("天",),
    "周": ("天",),
    "天": ("小时", "个小时"),
    "时": ("分", "分钟"),
    "小时": ("分钟", "分", "秒"),
    "个小时": ("分钟", "分"),
    "分钟": ("秒",),
    "分": ("秒",),
    "度": ("分",),
    "公里": ("米",),
    "米": ("厘米", "公分"),
    "公斤": ("克",),
    "元": ("角",),
    "角": ("分",),
}

# 千 behind a number of tens is the unit's: 二十千克, 二十五千瓦 (三千克 is 3000克 as well).
KILO = r"(?:(?<=[十百]千)|(?<=[十百].千))[克米瓦卡赫兆伏安帕字比焦]"
# Such a whole and its part with 零 between: 二十一岁零三个月. Behind 点 it is a time.
PART_UNIT = "|".join(sorted({*PARTS, *sum(PARTS.values(), ())}, key=len, reverse=True))
_ZERO_BETWEEN = (
    rf"(?<![点{NUMERALS}])[{NUMERALS}]+(?:{PART_UNIT})零[{NUMERALS}]+(?:{PART_UNIT})"
    rf"(?:[{NUMERALS}]+(?:{PART_UNIT}))*"
)

FIXED = re.compile(
    "|".join(
        [
            _DAYS,
            _FEAST,
            _WORD_TEN,
            _JOINED,
            _BESIDE_HOUR,
            _ZERO_BETWEEN,
            *map(_apart, [*_PATTERNS, *_PHRASES]),
        ]
    )
)

# Behind or before a number these make it a vague one: 十几, 三十多, 好几十, 数百, 周一三五.
VAGUE_BEHIND = re.compile(
    r"几|多|来(?![自到了说看电])|余|数|有余|出头|开外|挂零|冒头|朝上|[好大]几"
)
VAGUE_BEFORE = re.compile(
    r"(?:几|(?<![人分总次个件天户参读岁指函倍度位])数|若干|廿|卅|(?<![大最老从])小|(?<![月年当最起])初|正月|腊月|冬月|周|星期|礼拜|[几多余][万亿]?[个年岁天块元人度]?[到至]|分之)$"
)

# What makes the last 一 of a number a word of its own: 二十一起去, 一二三四一直打不通.
ONE_WORD = re.compile("[直起样般定共些切旦会再律向致同并经贯概边下]")
# What makes the first numeral the end of a word: 统一十个标准, 高一十一班.
_FIGURE = NUMERALS.translate(str.maketrans("", "", "百千万亿两幺"))
WORD_BEFORE = re.compile(
    f"(?<=[统唯惟专单逐划归同如其之])一|(?<=[高初大研博])(?:一[{_FIGURE}]|[一二三四]十[^班]?班)"
    f"|(?<=张)(?<![{NUMERALS}这那哪几每]张)三|(?<=李)四|(?<=王)五|(?<=赵)六"  # 张三 is somebody
)
# Figures read out that go on as a date or a time are not one run: 二零二四三月.
DATE_BEHIND = re.compile("月|点[半钟整]")
# These last from one year into the next: 二三二四赛季 is that of two years.
SEASON = re.compile("赛季|学年|年度|财年|跨年")
# Papers are numbered anew each year: 二零二四一号文件.
NUMBERED_PAPER = re.compile("号(?:文|令|公告|通知|决议|[提议]案)")

AFTER_MONTH = re.compile(f"[{NUMERALS}]月$")

# 负 is no sign in these: 背负三十万.
NO_SIGN = "(?<![胜正担背肩抱身自辜欺重减欠])负"

# What a lone 十 must count to be a number.
_COUNTED = """
个 人 位 名 元 块 年 天 月 日 号 岁 次 分钟 小时 秒 米 公里 公斤 斤 吨 克 点 度 层 楼 章 节 页
条 件 本 张 只 台 辆 部 篇 首 遍 周 星期 美元 欧元 日元 英镑 港币 港元 人民币 倍 级 届 期 集 路
班 门 场 圈 座 棵 瓶 杯 包 箱 袋 碗 盒 份 厘米 毫米 千米 平方米 立方米 亩 版 段 排 队 组 批 款
套 支 枚 颗 滴 片 毛 角 升 毫升 蚊 盘 匹 头 架 艘 列 轮
"""
COUNTED = re.compile("|".join(sorted(_COUNTED.split(), key=len, reverse=True)))

# Behind a decimal these leave no other reading; without one, 一点五 may go on otherwise.
DECIMAL_UNIT = re.compile(
    r"[倍米万亿元块吨升克秒度版寸折斤亩公厘毫平立摄伏瓦安兆千赫成级]|英[寸里尺镑]|海里|小时|分钟"
    r"|个(?:百分点|小时|亿)|美元|欧元|日元|分(?!之)|以[上下内]|左右"
)
# What people and things are counted with: 三点五个人 may be three o'clock and five.
COUNTS = re.compile(r"[个人位名只家班队桌场条张本件]")

# What is measured in whole numbers of these, 三点二十五元, is no time.
MEASURED = re.compile(
    "[元块页岁度斤吨克米升亩倍折]|公[里斤分]|[厘毫千]米|千[克瓦]|[美欧日]元|英镑|港[币元]"
)
# 三点一是安全: the first of three points.
FIRST_POINT = re.compile("[是要来则]")

# Words that make a number of hours and minutes the time of day, and those that make it none.
TIME_BEFORE = re.compile(
    r"(?:早上|上午|中午|下午|晚上|夜里|凌晨|傍晚|清晨|[今明昨后当][早晚天日]"
    r"|朝早|夜晚|[上下晏][晝昼]|[聽听尋寻]日|时间是?|现在是?|已经"
    r"|(?:周|星期|礼拜)[一二三四五六日天]|[日号]|定[在于]|[约改推提]到|迟到|前到)$"
)
TIME_BEHIND = re.compile(
    r"[开出到在的了左上下起集见准吃去来有我你他她我们前后发结关截登返回跟从坐乘飞抵就还才再做完叫睡醒以之召举进收打播放停是和至]"
    r"|$"
)
LETTER_BEFORE = re.compile("[A-Za-z]$")
NOT_TIME_BEFORE = re.compile(r"(?:版本|等于|率是?|率为|分之|比分|值[是为]|版|第|负)$")

# Before a decimal of 分 these say that it is a mark: 得了九点五分.
MARK_BEFORE = re.compile(
    r"(?:[得打考给加扣减评高低拿赢输差]了?|[评总均满得平]分|分数|平均|领先|落后|[是为到])$"
)

# The same, before what would be a time as well: 考了八点零五分.
SCORED_BEFORE = re.compile(
    r"(?:[得考扣评加减拿打]了|[考扣评]|[评总均满得平]分|分数|平均|领先|落后)$"
)

# Behind a single last figure of money: 十二块五的票, but 一块五花肉.
AMOUNT_ENDS = re.compile(r"[的了吧吗呢啊呀哦钱左每就太够不]|一[斤个张公只份件瓶盒本包米次]|$")

# Before figures read out one by one these say that they are: 验证码是一二三四, 尾号二八.
SPELT_BEFORE = re.compile(
    r"(?:(?<![单双])[号码编卡转]|电话|手机|热线|拨打?|账户|尾数)[是为叫按]?$|[是为A-Za-z-]$"
)
SPELT_PAIR_BEFORE = re.compile(r"(?:[尾房区座编工学]号|号码|密码|验证码|尾数)[是为]?$")

# Behind a number and before a last figure these make both one amount: 三十七度五, 十二斤三两.
SHARED_UNIT = re.compile(f"[块元毛度米斤秒](?=[{NUMERALS}])")

# What a short number in 一 may be followed by: 五千一的, but 五千一个月 is five thousand a month.
SHORT_ENDS = rf"(?:{AMOUNT_ENDS.pattern}|上下|以[上下内]|[到至比和或])"

# Between two numbers that are written alike: 三到二十个, 五到十分钟, 八点到十点半.
CHANGE = (
    "(?:[涨升降加减跌调长增数变改]|增[加长]|减少|提[高升前]|上[涨升调]"
    "|下[降跌调]|降低|缩短|延长|扩大)"
)
CONNECTOR = f"(?:到|至|{CHANGE}[到至成为]|(?<=[点半])[开忙睡等聊]到|比|加|减|选|投|中|除以?|等于)"
RANGE_UNIT = (
    r"(?:点钟|分钟|个?小时|个月|个?人|公里|公斤|美元"
    r"|[个位名元块年天月日号岁次米斤度层楼章页点周级秒吨升步分])"
)

# Before or behind a numeral these make it a part of an amount: 三块五, 三月五, 一米八.
PART_OF_AMOUNT = re.compile(
    f"(?P<whole>[{NUMERALS}])(?:[块元毛角米斤度月年分秒点尺寸]|公[里斤分])零?$"
)
AMOUNT_OF_PARTS = re.compile(f"(?:[块元毛角米斤度月年分秒点尺寸]|公[里斤分])零?(?=[{NUMERALS}])")

# A numeral behind these is a part of a name or of a word: 周一到十号, 统一到十点, 张三到十点才来.
NAMED = re.compile(
    f"(?:[统唯惟专单逐划归同如其之高初大研博老小李王赵周]|星期|礼拜|[正腊冬]月"
    f"|(?<![{NUMERALS}这那哪几每])张)$"
)
RANGE_BEFORE = re.compile("[从由第自]$")
# 一到十点就睡: as soon as it is ten.
MOMENT = re.compile(f"[{NUMERALS}]+(?:[月号日岁年时]|点(?![{NUMERALS}]))")
LUNAR = re.compile("(?:初|[正腊冬]月)$")

# What makes a number and a half of it: 十二斤半, but 二十天半个月.
HALF_BEHIND = re.compile(f"(?:{RANGE_UNIT}|[分年倍里亩尺寸磅])?半(?![天夜路个年月价数])")

# The time of day between the two ends of a range: 早上八点到晚上十点.
DAY_PART = "(?:早上|上午|中午|下午|晚上|夜里|凌晨|傍晚|清晨|次日|第二天|[今明后][天早晚])?"
