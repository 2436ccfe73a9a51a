"""Russian nouns in the cases that numbers after a preposition ask for, as a grammar has them."""

import pytest

pytest.importorskip("unicode_rbnf")
from hf_vits.text.expansion.cases import declined
from hf_vits.text.expansion.expand import expand


@pytest.mark.parametrize(
    ("forms", "of_one", "of_many"),
    [
        ("градус Цельсия|градуса Цельсия|градусов Цельсия", "градусу Цельсия", "градусам Цельсия"),
        ("километр в час|километра в час|километров в час", "километру в час", "километрам в час"),
        ("столовая ложка|столовые ложки|столовых ложек", "столовой ложке", "столовым ложкам"),
        ("килокалория|килокалории|килокалорий", "килокалории", "килокалориям"),
        ("рубль|рубля|рублей", "рублю", "рублям"),
        ("евро|евро|евро", "евро", "евро"),
    ],
)
def test_a_noun_is_declined_with_its_adjectives(forms, of_one, of_many):
    assert declined(forms, "dative", True) == of_one and declined(forms, "dative", False) == of_many


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("при 180 °C", "при ста восьмидесяти градусах Цельсия"),
        ("при 25 °C и 21 м²", "при двадцати пяти градусах Цельсия и двадцать один квадратный метр"),
        ("при -1 °C", "при минус одном градусе Цельсия"),
        ("при 20-30 % влажности", "при двадцати тридцати процентах влажности"),
        ("между 5 и 10 кг", "между пятью и десятью килограммами"),
        ("к 1000 м", "к тысяче метров"),
        ("около 3,5 км", "около трех целых пяти десятых километра"),
        ("при 0,1 м²", "при нуле целых одной десятой квадратного метра"),
        ("в 5 км от реки", "в пяти километрах от реки"),
        ("1/2 ст. л. соли", "половина столовой ложки соли"),
    ],
)
def test_a_number_after_a_preposition_has_its_case(written, read):
    assert expand(written, "ru") == read
