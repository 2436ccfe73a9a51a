"""X-SAMPA, which writes the International Phonetic Alphabet in ASCII (Wells 1995), to IPA."""

import re

from hf_vits.ssml.values import SsmlError
from hf_vits.utils.formatting import quoted

_PAIRS = r"""
b_< ɓ  d` ɖ  d_< ɗ  g_< ɠ  h\ ɦ  j\ ʝ  l` ɭ  l\ ɺ  n` ɳ  p\ ɸ  r` ɽ  r\ ɹ  r\` ɻ  s` ʂ  s\ ɕ  t` ʈ  v\ ʋ  x\ ɧ
z` ʐ  z\ ʑ
A ɑ  B β  B\ ʙ  C ç  D ð  E ɛ  F ɱ  G ɣ  G\ ɢ  G\_< ʛ  H ɥ  H\ ʜ  I ɪ  I\ ᵻ  J ɲ  J\ ɟ  J\_< ʄ  K ɬ  K\ ɮ  L ʎ  L\ ʟ
M ɯ  M\ ɰ  N ŋ  N\ ɴ  O ɔ  O\ ʘ  P ʋ  Q ɒ  R ʁ  R\ ʀ  S ʃ  T θ  U ʊ  U\ ᵿ  V ʌ  W ʍ  X χ  X\ ħ  Y ʏ  Z ʒ  g ɡ
" ˈ  % ˌ  : ː  :\ ˑ  @ ə  @\ ɘ  @` ɚ  { æ  } ʉ  1 ɨ  2 ø  3 ɜ  3\ ɞ  3` ɝ  4 ɾ  5 ɫ  6 ɐ  7 ɤ  8 ɵ  9 œ  & ɶ  ? ʔ  ?\ ʕ
!\ ǃ  |\ ǀ  |\|\ ǁ  =\ ǂ  <\ ʢ  >\ ʡ  -\ ‿  ` ˞  ~ ̃  = ̩  ' ʲ  ! ꜜ  ^ ꜛ
_" ̈  _+ ̟  _- ̠  _/ ̌  _0 ̥  _= ̩  _> ʼ  _?\ ˤ  _\ ̂  _^ ̯  _} ̚  _` ˞  _~ ̃  _A ̘  _a ̺  _B ̏  _c ̜  _d ̪  _e ̴  _F ̂  _G ˠ
_H ́  _h ʰ  _j ʲ  _k ̰  _L ̀  _l ˡ  _M ̄  _m ̻  _N ̼  _n ⁿ  _O ̹  _o ̞  _q ̙  _R ̌  _r ̝  _T ̋  _t ̤  _v ̬  _w ʷ  _X ̆  _x ̽
"""
_IPA = dict(zip(_PAIRS.split()[::2], _PAIRS.split()[1::2], strict=True))
_SAME = frozenset("abcdefhijklmnopqrstuvwxyz .|")
_SYMBOL = re.compile("|".join(map(re.escape, sorted(_IPA, key=len, reverse=True))))


def to_ipa(text: str) -> str:
    """
    Return the IPA of a text in X-SAMPA.

    Raises:
        SsmlError: for a character that it has not.

    Example:

    ```python
    >>> from hf_vits.ssml.xsampa import to_ipa

    >>> to_ipa('"spi:tS')
    'ˈspiːtʃ'
    ```
    """
    out, place = [], 0
    while place < len(text):
        if match := _SYMBOL.match(text, place):
            out.append(_IPA[match[0]])
            place = match.end()
        elif text[place] in _SAME or text[place].isspace():
            out.append("" if text[place] in ".|" else text[place])
            place += 1
        elif text[place] == "-":  # separates symbols that would be one
            place += 1
        else:
            raise SsmlError(f"`ph` is {quoted(text)}, which is no X-SAMPA at {text[place]!r}.")
    return "".join(out)
