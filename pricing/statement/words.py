"""What a statement is written with, in its two languages. It is a 账单 and never a 发票."""

from collections.abc import Mapping
from enum import StrEnum


class Language(StrEnum):
    """The language of a statement."""

    CHINESE = "zh"
    ENGLISH = "en"


_WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Statement", "账单"),
    "credit-note": ("Credit note", "红字账单"),
    "draft": ("Draft, not issued", "草稿,未出账"),
    "account": ("Account", "账号"),
    "number": ("Number", "账单编号"),
    "bill": ("Bill", "账单ID"),
    "period": ("Billing period", "账期"),
    "currency": ("Currency", "币种"),
    "provider": ("Provider", "服务商"),
    "payable": ("Amount due", "应付金额"),
    "summary": ("Summary", "费用汇总"),
    "lines": ("Charges by contract", "合同明细"),
    "contract": ("Contract", "合同"),
    "whole": ("Whole account", "账号级费用"),
    "item": ("Item", "计费项"),
    "quantity": ("Quantity", "用量"),
    "unit": ("Unit", "单位"),
    "price": ("Unit price", "单价"),
    "amount": ("Amount", "金额"),
    "subtotal": ("Subtotal", "小计"),
    "total": ("Total", "合计"),
    "tokens": ("Tokens by class", "Token用量"),
    "hours": ("Running time", "运行时长"),
    "class": ("Class", "类别"),
    "count": ("Tokens", "Token数"),
    "resource": ("Resource", "资源"),
    "time": ("Hours", "小时"),
    "page": ("Page", "页"),
    "Purchase": ("Subscriptions", "包年包月"),
    "Usage": ("Usage", "按量付费"),
    "Credit": ("Discounts and credits", "优惠与抵扣"),
    "Adjustment": ("Adjustments", "调整"),
    "Tax": ("Tax", "税费"),
    "Rounding": ("Rounding", "抹零"),
    "Hours": ("Hours", "小时"),
    "Months": ("Months", "个月"),
    "Tokens": ("Tokens", "Token"),
    "10000 Tokens": ("10,000 Tokens", "万Token"),
    "Tiers": ("Tiers", "阶梯"),
    "Input Tokens": ("Input Tokens", "输入Token"),
    "Cached Input Tokens": ("Cached Input Tokens", "缓存命中输入Token"),
    "Cache Write Tokens (5 min)": ("Cache Write Tokens (5 min)", "缓存写入(5分钟)Token"),
    "Cache Write Tokens (1 h)": ("Cache Write Tokens (1 h)", "缓存写入(1小时)Token"),
    "Output Tokens": ("Output Tokens", "输出Token"),
    "Reasoning Tokens": ("Reasoning Tokens", "推理Token"),
    "note": (
        "Amounts are exact and rounded once, in the line Rounding; printed parts add up.",
        "金额精确到十位小数,仅在“抹零”一行舍入一次;所列各项之和等于合计。本账单不作为税务凭证。",
    ),
}


def words(language: Language) -> dict[str, str]:
    """Return all words in one language."""
    at = 1 if language is Language.CHINESE else 0
    return {key: pair[at] for key, pair in _WORDS.items()}
