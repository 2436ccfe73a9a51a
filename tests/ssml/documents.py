"""Documents, what is expected of each in the notation of `notation.py`, and what differs from it.

Their elements are those of the documentation of the W3C, Azure, Google and Amazon; their texts are our own.
"""

from typing import NamedTuple


class Document(NamedTuple):
    name: str
    document: str
    expected: str
    content: str | None = None  # if it is not what is spoken
    ignored: tuple[str, ...] = ()
    needs: str | None = None


def speak(inside, attributes=""):
    return f"<speak{attributes}>{inside}</speak>"


W3C = ' version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US"'
AZURE = f'{W3C} xmlns:mstts="https://www.w3.org/2001/mstts"'


def plain(name, inside, expected, **more):
    return Document(name, speak(inside), expected, **more)


STRUCTURE = [
    plain("a text", "Good day.", "Good day."),
    plain("two sentences", "Good day. How are you?", "Good day. / How are you?"),
    plain("white space", "\n  Good\n\tday  .\n", "Good day ."),
    plain("paragraphs", "<p>One day.</p><p>Two days.</p>", "One day. / Two days."),
    plain("sentences", "<s>One day</s><s>two days</s>", "One day / two days"),
    plain("sentences in a paragraph", "<p><s>One day</s> <s>two days</s></p>", "One day / two days"),
    plain("text beside sentences", "first <s>then this</s> last", "first / then this / last"),
    plain("a sentence of two", "<s>One day. Two days.</s>", "One day. / Two days."),
    plain("the names of SSML 1.0", "<paragraph><sentence>One</sentence></paragraph>", "One"),
    plain("tokens", "<w role='x:noun'>One</w> <token>day</token>", "One day"),
    plain("words within a word", "un<w>believ</w>able", "unbelievable"),
    plain("references to characters", "A &lt; B &amp; C &#65; &#x42;", "A < B & C A B"),
    plain("a section of characters", "<![CDATA[A < B]]>", "A < B"),
    plain("a comment", "One <!-- two --> three", "One three"),
    plain("an instruction", "One <?target two?> three", "One three"),
    plain("other scripts", "你好。再见。", "你好。 / 再见。", content="你好。再见。"),
    plain("an abbreviation", "Dr. Smith is in.", "Dr. Smith is in."),
    plain("quotes", "He said: &quot;Go!&quot; and left.", 'He said: "Go!" and left.'),
    Document("a declaration", '<?xml version="1.0" encoding="UTF-8"?>\n<speak>One</speak>', "One"),
    Document("another encoding", '<?xml version="1.0" encoding="ISO-8859-1"?><speak>Ünë</speak>', "Ünë"),
    Document("a comment before", "<!-- a - b --><!--c-->\n<speak>One</speak>", "One"),
    Document("a byte order mark", "\ufeff<speak>One</speak>", "One"),
    Document("spaces before and after", " \n <speak>One</speak> \n", "One"),
    Document("attributes of the W3C", speak("One", W3C), "One"),
    Document("a schema", speak("One", f'{W3C} xmlns:xsi="x" xsi:schemaLocation="a b"'), "One"),
    Document("a prefix", '<ssml:speak xmlns:ssml="x">One <ssml:break time="1s"/>day</ssml:speak>', "One <1>day"),
    Document("attributes over lines", "<speak\n version='1.0'\n>One</speak\n>", "One"),
]

BREAKS = [
    plain("a break in milliseconds", 'Wait <break time="500ms"/> for it.', "Wait <0.5>for it."),
    plain("a break in seconds", 'Wait <break time="2s"/> for it.', "Wait <2>for it."),
    plain("a break of a part", 'Wait <break time=".25s"/>for it.', "Wait <0.25>for it."),
    plain("a break with a sign", 'Wait<break time="+1.5s"/> for it.', "Wait<1.5> for it."),
    plain("a break of a thousandth", 'Wait <break time="1ms"/>for it.', "Wait <0.001>for it."),
    plain("a break without attributes", "Wait <break/>for it.", "Wait <0.5>for it."),
    plain("no break", 'Wait <break strength="none"/>for it.', "Wait <0>for it."),
    plain("a break of no strength", 'Wait <break strength="x-weak"/>for it.', "Wait <0>for it."),
    plain("a weak break", 'Wait <break strength="weak"/>for it.', "Wait <0.25>for it."),
    plain("a medium break", 'Wait <break strength="medium"/>for it.', "Wait <0.5>for it."),
    plain("a strong break", 'Wait <break strength="strong"/>for it.', "Wait <1>for it."),
    plain("the strongest break", 'Wait <break strength="x-strong"/>for it.', "Wait <1.5>for it."),
    plain("time and strength", 'Wait <break time="3s" strength="weak"/>for it.', "Wait <3>for it."),
    plain("breaks after each other", 'Wait <break time="1s"/><break time="2s"/>for it.', "Wait <1><2>for it."),
    plain("a break at the beginning", '<break time="1s"/>Wait.', "<1>Wait."),
    plain("a break at the end", 'Wait.<break time="1s"/>', "Wait.<1>"),
    plain("a break between sentences", 'Wait. <break time="1s"/>For it.', "Wait. / <1>For it."),
    plain("a break between paragraphs", '<p>Wait</p><break time="1s"/><p>for it</p>', "Wait / <1>for it"),
    plain("a break at the end of a paragraph", '<p>Wait <break time="1s"/></p><p>for it</p>', "Wait / <1>for it"),
    plain("a break within a word", 'un<break time="100ms"/>able', "un<0.1>able"),
    plain("a break in a number", '555<break time="200ms"/>1234', "555<0.2>1234"),
    plain("a break before a mark", 'Wait<break time="1s"/>, for it.', "Wait<1>, for it."),
]

MARKS = [
    plain("a mark", 'Go <mark name="here"/>now.', "Go <#here>now."),
    plain("marks at both ends", '<mark name="a"/>Go now.<mark name="b"/>', "<#a>Go now.<#b>"),
    plain("a mark before a break", 'Go <mark name="a"/><break time="1s"/>now.', "Go <#a><1>now."),
    plain("a mark after a break", 'Go <break time="1s"/><mark name="a"/>now.', "Go <1><#a>now."),
    plain("marks around a word", '<mark name="a"/>Go<mark name="b"/> now.', "<#a>Go<#b> now."),
    plain("a mark between sentences", '<s>Go.</s><mark name="a"/><s>Now.</s>', "Go. / <#a>Now."),
    plain("two marks of one name", 'Go <mark name="a"/>now <mark name="a"/>then.', "Go <#a>now <#a>then."),
    plain("a bookmark of Azure", 'Go <bookmark mark="here"/>now.', "Go <#here>now."),
    plain("a mark without text before", '<p><mark name="a"/></p><p>Go</p>', "<#a>Go"),
]


def rate(value):
    return f'Go <prosody rate="{value}">right now</prosody>.'


def pitch(value):
    return f'Go <prosody pitch="{value}">now</prosody>.'


def volume(value):
    return f'Go <prosody volume="{value}">now</prosody>.'


def spread(value):
    return f'Go <prosody range="{value}">now</prosody>.'


VALUES = [
    *[
        plain(f"rate {value}", rate(value), f"Go {{r{factor:g}:right now}}.")
        for value, factor in [
            *[("x-slow", 0.5), ("slow", 0.75), ("fast", 1.25), ("x-fast", 1.5), ("SLOW", 0.75), (" slow ", 0.75)],
            *[("50%", 0.5), ("200%", 2), ("+20%", 1.2), ("-20%", 0.8), ("+30.00%", 1.3), ("0.9", 0.9), ("1.5", 1.5)],
        ]
    ],
    *[plain(f"rate {value}", rate(value), "Go right now.") for value in ("medium", "default", "100%", "1", "+0%")],
    *[
        plain(f"pitch {value}", pitch(value), f"Go {{{found}:now}}.")
        for value, found in [
            *[("x-low", "p-4"), ("low", "p-2"), ("high", "p2"), ("x-high", "p4"), ("+2st", "p2"), ("-1.5st", "p-1.5")],
            *[("200Hz", "m200"), ("110.5hz", "m110.5"), ("+20Hz", "h20"), ("-10Hz", "h-10"), ("+100%", "p12")],
            *[("-50%", "p-12"), ("+10%", "p1.65"), ("2st", "p2"), ("+2 st", "p2")],
        ]
    ],
    *[plain(f"pitch {value}", pitch(value), "Go now.") for value in ("medium", "default", "+0st", "+0Hz", "0%")],
    *[
        plain(f"volume {value}", volume(value), f"Go {{v{decibels:g}:now}}.")
        for value, decibels in [
            *[("silent", float("-inf")), ("x-soft", -12), ("soft", -6), ("loud", 4), ("x-loud", 8), ("+6dB", 6)],
            *[("-4.5dB", -4.5), ("50", -6.02), ("0", float("-inf")), ("+100%", 6.02), ("-50%", -6.02), ("80%", -1.94)],
            *[("+20", 1.58), ("-100%", float("-inf"))],
        ]
    ],
    *[plain(f"volume {value}", volume(value), "Go now.") for value in ("medium", "default", "100", "+0dB")],
    *[
        plain(f"range {value}", spread(value), f"Go {{{found}:now}}.")
        for value, found in [
            *[("x-low", "s0.25"), ("low", "s0.6"), ("high", "s1.4"), ("x-high", "s1.8"), ("+50%", "s1.5")],
            *[("-100%", "s0"), ("40Hz", "g40"), ("+12st", "s2")],
        ]
    ],
]

PROSODY = [
    plain("all at once", '<prosody rate="slow" pitch="+2st" volume="-6dB">Go</prosody>', "{r0.75 v-6 p2:Go}"),
    plain(
        "rates within each other",
        '<prosody rate="50%">a <prosody rate="150%">b</prosody> c</prosody>',
        "{r0.5:a }{r0.75:b}{r0.5: c}",
    ),
    plain(
        "a name within a rate", '<prosody rate="50%">a <prosody rate="fast">b</prosody></prosody>', "{r0.5:a }{r1.25:b}"
    ),
    plain(
        "pitches within each other",
        '<prosody pitch="+2st">a <prosody pitch="+1st">b</prosody></prosody>',
        "{p2:a }{p3:b}",
    ),
    plain(
        "volumes within each other",
        '<prosody volume="-6dB">a <prosody volume="+2dB">b</prosody></prosody>',
        "{v-6:a }{v-4:b}",
    ),
    plain("prosody over sentences", '<prosody rate="slow">One. Two.</prosody>', "{r0.75:One.} / {r0.75:Two.}"),
    plain("prosody of paragraphs", '<prosody rate="slow"><p>One</p></prosody><p>Two</p>', "{r0.75:One} / Two"),
    plain("prosody within a word", 'un<prosody rate="slow">believ</prosody>able', "un{r0.75:believ}able"),
    plain("a break in prosody", '<prosody rate="slow">a <break time="1s"/>b</prosody>', "{r0.75:a <1>b}"),
    plain("a break before prosody", 'a <break time="1s"/><prosody rate="slow">b</prosody>', "a <1>{r0.75:b}"),
    plain(
        "a contour",
        '<prosody contour="(0%,+20Hz) (50%,-10%)" rate="slow">a</prosody>',
        "{r0.75:a}",
        ignored=("`contour` of <prosody>",),
    ),
    plain("a duration", 'Go <prosody duration="2s">right now</prosody>.', "Go {d2:right now}."),
    plain(
        "a duration of sentences", '<prosody duration="900ms">One two. Ten.</prosody>', "{d0.6:One two.} / {d0.3:Ten.}"
    ),
    plain(
        "a duration with a break in it",
        '<prosody duration="3s">right <break time="1s"/><prosody rate="slow">now</prosody></prosody> then',
        "{d2:right }<1>{r0.75 d2:now} then",
    ),
    plain(
        "a duration within another one",
        '<prosody duration="2s">a <prosody duration="1s">b</prosody></prosody>',
        "{d2:a b}",
        ignored=("`duration` of <prosody> within another one",),
    ),
    plain(
        "a duration of nothing",
        'Go <prosody duration="2s"><break time="1s"/></prosody>now.',
        "Go <1>now.",
        ignored=("`duration` of <prosody> without text",),
    ),
    plain("prosody without attributes", "<prosody>a</prosody> b", "a b"),
    plain("emphasis", "a <emphasis>b</emphasis> c", "a {r0.85 v2 p1:b} c"),
    plain("moderate emphasis", '<emphasis level="moderate">b</emphasis>', "{r0.85 v2 p1:b}"),
    plain("strong emphasis", '<emphasis level="strong">b</emphasis>', "{r0.75 v4 p2:b}"),
    plain("reduced emphasis", '<emphasis level="reduced">b</emphasis>', "{r1.15 v-2 p-1:b}"),
    plain("no emphasis", '<emphasis level="none">b</emphasis>', "b"),
    plain(
        "emphasis in prosody",
        '<prosody volume="-6dB"><emphasis level="strong">b</emphasis></prosody>',
        "{r0.75 v-2 p2:b}",
    ),
]

REPLACED = [
    plain(
        "a substitution",
        'The <sub alias="World Wide Web">WWW</sub> is old.',
        "The World Wide Web is old.",
        content="The WWW is old.",
    ),
    plain(
        "a stop in a substitution",
        '<sub alias="Doctor. Who.">Dr</sub> is in.',
        "Doctor. Who. is in.",
        content="Dr is in.",
    ),
    plain("a substitution of nothing", 'a <sub alias="">b</sub> c', "a  c", content="a b c"),
    plain("a substitution for nothing", 'a <sub alias="b"/> c', "a b c", content="a c"),
    plain(
        "a substitution in prosody",
        '<prosody rate="slow"><sub alias="kilo">k</sub></prosody>',
        "{r0.75:kilo}",
        content="k",
    ),
    plain(
        "a mark in a substitution",
        '<sub alias="one">1<mark name="a"/></sub>',
        "one",
        content="1",
        ignored=("<mark> within <sub>",),
    ),
    plain("an alias over lines", '<sub alias="World\n  Wide">W</sub>', "World Wide", content="W"),
    plain(
        "phonemes",
        'a <phoneme alphabet="ipa" ph="təˈmeɪtoʊ">tomato</phoneme>.',
        "a [[təˈmeɪtoʊ]].",
        content="a tomato.",
    ),
    plain("phonemes without an alphabet", '<phoneme ph="pi">pie</phoneme>', "[[pi]]", content="pie"),
    plain(
        "phonemes in X-SAMPA",
        '<phoneme alphabet="x-sampa" ph=\'p@"keIn\'>pecan</phoneme>',
        "[[pəˈkeɪn]]",
        content="pecan",
    ),
    plain(
        "X-SAMPA of many marks",
        '<phoneme alphabet="x-sampa" ph="a~ n_j r\\` x_}">x</phoneme>',
        "[[a\u0303 nʲ ɻ x\u031a]]",
        content="x",
    ),
    plain(
        "phonemes of Azure",
        '<phoneme alphabet="sapi" ph="t ax">to</phoneme>',
        "to",
        ignored=("<phoneme> in the alphabet 'sapi'",),
    ),
    plain("phonemes in brackets", '<phoneme ph="[[pi]]">pie</phoneme>', "[[pi]]", content="pie"),
    plain("no phonemes", '<phoneme ph=" ">pie</phoneme>', "pie"),
]


def said(kind, text, expected, form=""):
    inside = f'It is <say-as interpret-as="{kind}"{form}>{text}</say-as>.'
    return plain(f"say {text} as {kind}{form}", inside, f"It is {expected}.", content=f"It is {text}.", needs="words")


SAY_AS = [
    said("cardinal", "1234", "one thousand two hundred thirty-four"),
    said("number", "12", "twelve"),
    said("ordinal", "3", "third"),
    said("ordinal", "21st", "twenty-first"),
    said("date", "3/14/2024", "March fourteenth, twenty twenty-four", ' format="mdy"'),
    said("date", "14.3.2024", "March fourteenth, twenty twenty-four", ' format="dmy"'),
    said("date", "2024-03-14", "March fourteenth, twenty twenty-four", ' format="ymd"'),
    said("time", "2:30pm", "two thirty pee em", ' format="hms12"'),
    said("fraction", "2/3", "two thirds"),
    said("unit", "5kg", "five kilograms"),
    said("telephone", "555-0123", "five five five, zero one two three"),
    said("digits", "1066", "one zero six six"),
    plain("say nonsense as a date", '<say-as interpret-as="date">soon</say-as>', "soon", ignored=("<say-as",)),
    plain("say as something unknown", '<say-as interpret-as="net">x.org</say-as>', "x.org", ignored=("<say-as",)),
    plain("say details", '<say-as interpret-as="x" detail="1">y</say-as>', "y", ignored=("<say-as",)),
]

OTHERS = [
    plain("a speaker by name", 'Hi. <voice name="bea">Hello.</voice> Bye.', "Hi. / @bea Hello. / Bye."),
    plain(
        "a speaker within a sentence", 'He said <voice name="bea">hello</voice> then.', "He said / @bea hello / then."
    ),
    plain("a speaker by number", '<voice name="2">Hello</voice>', "@2 Hello"),
    plain("a speaker in another case", '<voice name="Bea">Hello</voice>', "@bea Hello"),
    plain("the second choice", '<voice name="Zoe cem">Hello</voice>', "@cem Hello"),
    plain(
        "speakers within each other",
        '<voice name="ada">a <voice name="bea">b</voice> c</voice>',
        "@ada a / @bea b / @ada c",
    ),
    plain("a speaker of paragraphs", '<voice name="ada"><p>a</p><p>b</p></voice>', "@ada a / @ada b"),
    plain("an unknown speaker", '<voice name="Zoe">a</voice> b', "a b", ignored=("<voice name='Zoe'>",)),
    plain("a kind of speaker", '<voice gender="female" age="6">a</voice>', "a", ignored=("<voice> without a name",)),
    plain("a language", '<lang xml:lang="de">Hallo</lang> you', "~de Hallo / you"),
    plain("a language with a country", '<lang xml:lang="de-AT">Hallo</lang> you', "~de Hallo / you"),
    plain("a language of a sentence", '<s xml:lang="de">Hallo</s><s>you</s>', "~de Hallo / you"),
    plain("another language", '<lang xml:lang="fr-FR">Salut</lang> you', "Salut you", ignored=("'fr-FR'",)),
    Document("the language of the document", speak("Hallo", ' xml:lang="de"'), "~de Hallo"),
    plain("audio with a text", '<audio src="a.wav">a sound</audio>', "a sound", ignored=("<audio>",)),
    plain(
        "audio with a description",
        '<audio src="a.wav"><desc>d</desc>a sound</audio>',
        "a sound",
        ignored=("<audio>", "<desc>"),
    ),
    plain(
        "audio with elements",
        '<audio src="a.wav">a <break time="1s"/>sound</audio>',
        "a <1>sound",
        ignored=("<audio>",),
    ),
    plain(
        "metadata",
        '<meta name="a" content="b"/><metadata><x>y</x></metadata>One',
        "One",
        ignored=("<meta>", "<metadata>", "<x> within <metadata>"),
    ),
    plain(
        "a lexicon",
        '<lexicon uri="a.pls" xml:id="l"/><lookup ref="l">One</lookup>',
        "One",
        ignored=("<lexicon>", "<lookup>"),
    ),
    plain("an unknown element", "One <foo>two</foo> three", "One two three", ignored=("<foo>, but for its text",)),
    plain(
        "an element of Amazon",
        'a <amazon:effect name="whispered">b</amazon:effect>',
        "a b",
        ignored=("<amazon:effect>",),
    ),
    plain(
        "an element of Google",
        "<par><media><speak>a</speak></media></par>",
        "a",
        ignored=("<par>", "<media>", "<speak> within"),
    ),
    Document(
        "a document of Azure",
        speak(
            '<voice name="en-US-Someone"><mstts:express-as style="sad">a</mstts:express-as>'
            '<mstts:silence type="Sentenceboundary" value="200ms"/></voice>',
            AZURE,
        ),
        "a",
        ignored=("<voice name=", "<mstts:express-as>", "<mstts:silence>"),
    ),
    plain("an unknown attribute", '<break time="1s" foo="bar"/>One', "<1>One", ignored=("`foo` of <break>",)),
    plain("a name of another prefix", '<x:break time="1s"/>One', "One", ignored=("<x:break>",)),
    plain("a name in capitals", '<BREAK time="1s"/>One', "One", ignored=("<BREAK>",)),
]

DOCUMENTS = [*STRUCTURE, *BREAKS, *MARKS, *VALUES, *PROSODY, *REPLACED, *SAY_AS, *OTHERS]

DEEP = 10_000
BOMB = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))

HOSTILE = {
    "entities": (f'<!DOCTYPE speak [<!ENTITY l0 "ha">{BOMB}]><speak>&l9;</speak>', "refused"),
    "one long entity": (f'<!DOCTYPE speak [<!ENTITY a "{"a" * 90_000}">]><speak>{"&a;" * 9000}</speak>', "refused"),
    "a file": ('<!DOCTYPE speak [<!ENTITY a SYSTEM "file:///etc/passwd">]><speak>&a;</speak>', "refused"),
    "an address": ('<!DOCTYPE speak [<!ENTITY a SYSTEM "http://localhost/">]><speak>&a;</speak>', "refused"),
    "a parameter entity": ('<!DOCTYPE speak [<!ENTITY % a SYSTEM "file:///x"> %a;]><speak>a</speak>', "refused"),
    "an external subset": ('<!DOCTYPE speak SYSTEM "http://localhost/x.dtd"><speak>a</speak>', "refused"),
    "a public subset": ('<!DOCTYPE speak PUBLIC "-//W3C//DTD" "http://localhost/x.dtd"><speak>a</speak>', "refused"),
    "a declared attribute": ('<!DOCTYPE speak [<!ATTLIST break time CDATA "9s">]><speak><break/></speak>', "refused"),
    "entities after a comment": ('<!-- a --><!DOCTYPE x [<!ENTITY a "b">]><speak>&a;</speak>', "refused"),
    "an unknown entity": ("<speak>&nbsp;</speak>", "undefined entity"),
    "depth": ("<speak>" + "<p>" * DEEP + "a" + "</p>" * DEEP + "</speak>", "50 deep"),
    "depth without an end": ("<speak>" + "<prosody>" * DEEP, "50 deep"),
    "depth of unknown elements": ("<speak>" + "<x>" * DEEP + "</x>" * DEEP + "</speak>", "50 deep"),
    "ten megabytes": ("<speak>" + "a " * 5_000_000 + "</speak>", "characters"),
    "ten megabytes of elements": ("<speak>" + "<a/>" * 2_500_000 + "</speak>", "characters"),
    "ten megabytes of an attribute": (f'<speak><sub alias="{"a" * 10_000_000}">b</sub></speak>', "characters"),
    "many elements": ("<speak>" + "<a/>" * 200_000 + "</speak>", "50,000 elements"),
    "a long attribute": (f'<speak><sub alias="{"a" * 100_000}">b</sub></speak>', "`alias` has 100,000"),
    "many attributes": ("<speak " + " ".join(f'a{i}="{i}"' for i in range(50_000)) + "><break/></speak>", "text"),
    "an attribute twice": ('<speak><break time="1s" time="2s"/></speak>', "duplicate attribute"),
    "days of breaks": ("<speak>" + '<break time="60s"/>' * 10_000 + "a</speak>", "more than 3600 s"),
    "a long break": ('<speak>a<break time="100000s"/></speak>', "0 to 60 seconds"),
    "a break before it": ('<speak>a<break time="-1s"/></speak>', "0 to 60 seconds"),
    "a break of no number": ('<speak>a<break time="soon"/></speak>', "`time` is 'soon'"),
    "a break without a unit": ('<speak>a<break time="5"/></speak>', "`time` is '5'"),
    "a break of a thousand digits": (f'<speak>a<break time="{"9" * 1000}s"/></speak>', "`time` is"),
    "a break of not a number": ('<speak>a<break time="nans"/></speak>', "`time` is 'nans'"),
    "an unknown strength": ('<speak>a<break strength="huge"/></speak>', "none, x-weak"),
    "a rate of nothing": ('<speak><prosody rate="0%">a</prosody></speak>', "0.1 to 10"),
    "rates that multiply": ("<speak>" + '<prosody rate="20%">' * 9 + "a" + "</prosody>" * 9 + "</speak>", "0.1 to 10"),
    "an unknown rate": ('<speak><prosody rate="banana">a</prosody></speak>', "`rate` is 'banana'.*x-slow"),
    "a pitch above hearing": ('<speak><prosody pitch="99999Hz">a</prosody></speak>', "20 to 1000 Hz"),
    "pitches that add up": ("<speak>" + '<prosody pitch="+9st">' * 9 + "a" + "</prosody>" * 9 + "</speak>", "24"),
    "a pitch below nothing": ('<speak><prosody pitch="-100%">a</prosody></speak>', "above -100%"),
    "a duration of no number": ('<speak><prosody duration="soon">a</prosody></speak>', "`duration` is 'soon'"),
    "a duration below its breaks": (
        '<speak><prosody duration="1s">a<break time="2s"/></prosody></speak>',
        "`duration` is '1s', and the breaks within it last 2 s",
    ),
    "a duration of no time": (
        '<speak><prosody duration="1ms">abc</prosody></speak>',
        "`duration` gives 0.00 s .* at least",
    ),
    "an unknown volume": ('<speak><prosody volume="11dBm">a</prosody></speak>', "`volume` is '11dBm'"),
    "a deafening volume": ('<speak><prosody volume="+99dB">a</prosody></speak>', "dB"),
    "an unknown emphasis": ('<speak><emphasis level="huge">a</emphasis></speak>', "`level` is 'huge'"),
    "an element without an end": ("<speak>a <p>b</speak>", "mismatched tag, line 1"),
    "a document without an end": ("<speak>a", "no element found"),
    "two roots": ("<speak>a</speak><speak>b</speak>", "junk after"),
    "a sign that is not escaped": ("<speak>a < b</speak>", "not well-formed"),
    "an ampersand that is not escaped": ("<speak>a & b</speak>", "not well-formed"),
    "a null": ("<speak>a\0b</speak>", "not well-formed"),
    "half of a character": ("<speak>\ud800</speak>", "not well-formed"),
    "an escape of a null": ("<speak>&#0;</speak>", "invalid character"),
    "a mark without a name": ("<speak>a<mark/></speak>", "no `name`"),
    "phonemes that are none": ('<speak><phoneme alphabet="x-sampa" ph="é">a</phoneme></speak>', "no X-SAMPA"),
    "a substitution without an alias": ("<speak><sub>a</sub></speak>", "no `alias`"),
    "audio alone": ('<speak>a <audio src="file:///etc/passwd"/></speak>', "<audio> without text is refused"),
    "nothing": ("<speak/>", "no text that is left to speak"),
    "nothing between its tags": ("<speak> </speak>", "no text that is left to speak"),
    "only signs": ("<speak>~ ~</speak>", "nothing in it is read aloud"),
    "only breaks": ('<speak><break time="1s"/></speak>', "no text that is left to speak"),
    "many comments that do not end": ("<!--" * 200_000 + "<speak>a</speak>", None),
    "white space without an end": (" " * 900_000 + "<spea", None),
}
"""Documents that are refused within a second, with a part of the error; None for a text that is none."""
