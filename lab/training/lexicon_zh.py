"""Mandarin words by role; no two words that can stand in the same place sound alike."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    """Space-separated words."""
    return text.split()


FAMILY_NAMES = _words("王 李 张 刘 陈 杨 赵 黄 周 吴 林 孙 马 高")
GIVEN_NAMES = _words("伟 芳 娜 静 强 丽 军 杰 明 小红 文 建国 国强 海 晓东")
TITLES = _words("先生 女士 老师 经理 医生")
PRONOUNS = _words("我 你 他 我们 你们 他们 大家")
PEOPLE = _words("朋友 妈妈 爸爸 孩子 学生 同事")
COMPANIES = _words("阿里巴巴 腾讯 百度 华为 小米 京东 达摩院")
CITIES = _words("北京 上海 深圳 广州 杭州 南京 成都 重庆 天津 香港 中国 美国 日本")
PLACES = _words("公司 学校 医院 银行 超市 火车站 机场 酒店 餐厅 图书馆 公园 办公室 会议室 商店")
ROOMS = _words("客厅 房间 楼上")
DEVICES = _words("空调 电视 电灯 窗户 音乐 手机 电脑 收音机 闹钟 导航")
THINGS = _words("文件 照片 消息 邮件 新闻 电影 项目 计划 报告 订单 车票 语音 视频 名字 地址")
TOPICS = _words("天气 会议 价格 温度 问题 答案 时间 数据 模型 服务 系统 语音识别 人工智能")
GOODS = _words("苹果 香蕉 牛奶 咖啡 茶 米饭 水果 书 水")
VEHICLES = _words("飞机 火车 地铁 汽车")
OPEN_VERBS = _words("打开 关闭 停止 使用")
MEDIA_VERBS = _words("播放 暂停 继续 保存 删除 发送 取消 查询")
TRANSITIVE_VERBS = _words("喜欢 需要 知道 准备 开始 结束 介绍 了解 解决")
ACTIONS = _words("工作 学习 休息 睡觉 开会 上课 跑步 吃饭 回家 起床 出发")
ADJECTIVES = _words("好 大 快 慢 新 便宜 高兴 重要 忙 冷 热")
DEGREES = _words("很 非常 太")
WEATHER = _words("晴天 下雨 下雪")
GREETINGS = _words("你好 谢谢 再见 对不起 没关系 好的")
LINKS = _words("因为 所以 但是 如果 已经 应该 一起 每天")
FUNCTION_WORDS = _words("的 了 在 是 不 有 没有 和 也 都 请 把 给 到 从 帮 要 想 可以 会")
QUESTION_WORDS = _words("什么 谁 哪里 怎么 为什么 多少 几 吗 呢 是不是 怎么样")
DAYS = _words("今天 明天 昨天 后天 前天")
DAY_PARTS = _words("早上 上午 中午 下午 晚上 现在")
PERIODS = _words("星期 周 今年 明年 去年 分钟 小时 秒")
UNITS = _words("米 公里 千克 公斤 克 升 度 岁")
COUNTERS = _words("个 次 人 张 本 辆 件 层 杯")

RANDOM_WORDS: tuple[str, ...] = tuple(
    dict.fromkeys(
        COMPANIES + CITIES + PLACES + ROOMS + DEVICES + THINGS + TOPICS + GOODS + VEHICLES
        + OPEN_VERBS + MEDIA_VERBS + TRANSITIVE_VERBS + ACTIONS + ADJECTIVES + DEGREES + WEATHER
        + GREETINGS + LINKS + FUNCTION_WORDS + QUESTION_WORDS + DAYS + DAY_PARTS + PERIODS
        + TITLES + PRONOUNS + PEOPLE
    )
)  # fmt: skip

PINYIN_OVERRIDES = {
    "调高": "tiao2 gao1",
    "调低": "tiao2 di1",
    "的": "de5",
    "了": "le5",
    "吗": "ma5",
    "呢": "ne5",
    "都": "dou1",
    "几": "ji3",
    "分": "fen1",
    "差": "cha4",
    "少": "shao3",
    "地址": "di4 zhi3",
    "重要": "zhong4 yao4",
    "便宜": "pian2 yi5",
    "了解": "liao3 jie3",
    "数据": "shu4 ju4",
}
