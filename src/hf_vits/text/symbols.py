"""Set symbols apart that espeak-ng reads as several words, such as "thumbs up" and "a half".

Of one that touches a mark or another symbol it says the first word only, or nothing.
"""

import re
from collections.abc import Callable

_DRAWN = "\ufe0e\ufe0f"  # the signs that say how the character before is drawn
_JOINER = "\u200d"
_PICTURES = (
    "\u231a-\u23ff\u25aa-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_OTHERS = "$%&@#+=<>^~|*¢-©¬®-±´¶·¼-¾×÷\u2030\u2031\u2044\u20a0-\u20cf\u2100-\u2bff"
# An emoji is a word wherever it stands: a flag of two letters, a picture, a sign drawn as one. A digit that is drawn as
# one begins a keycap, and is read well. Another symbol counts where it touches a mark that does not end a clause.
_TOUCHING = r"[^\w\s]|[¼-¾\u2150-\u218b]"
_SYMBOL = re.compile(
    rf"(?P<emoji>(?:[\U0001f1e6-\U0001f1ff]{{2}}|[{_PICTURES}]|[^\s0-9#*{_DRAWN}](?=[{_DRAWN}]))[{_DRAWN}{_JOINER}]*)"
    rf"|(?<={_TOUCHING})[{_OTHERS}]|[{_OTHERS}](?={_TOUCHING})(?![.,;:!?…]+(?:\s|\Z))"
)
_ANY = re.compile(f"[{_OTHERS}{_PICTURES}{_DRAWN}]")
_MARK = re.compile(_TOUCHING)


def apart(text: str, has_several_words: Callable[[str], bool]) -> tuple[str, list[int] | None]:
    """Return the text with spaces around such symbols.

    Args:
        text: any.
        has_several_words: says of a symbol, alone, whether it is read as several words.

    Returns:
        The new text, without the signs that join emoji and say how they are drawn; and the place in the old text of
        each place in the new one, its end too, or None if they are the same.
    """
    if not _ANY.search(text):  # nearly always, and soon seen
        return text, None
    pieces, places, position = [], [], 0
    for symbol in _SYMBOL.finditer(text):
        start, end = symbol.span()
        if symbol["emoji"]:
            sign, before, after = symbol[0].rstrip(_DRAWN + _JOINER), " ", " "
        elif has_several_words(symbol[0]):
            sign = symbol[0]
            before = " " * bool(_MARK.match(text, start - 1)) if start else ""
            after = " " * bool(_MARK.match(text, end))
        else:
            continue
        pieces += [text[position:start], before, sign, after]
        places += [*range(position, start), *[start] * len(before), *range(start, start + len(sign))]
        places += [end - 1] * len(after)
        position = end
    if not pieces:
        return text, None
    return "".join([*pieces, text[position:]]), [*places, *range(position, len(text) + 1)]
