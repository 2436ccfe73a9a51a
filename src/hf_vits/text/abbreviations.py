"""Abbreviations, ordinals and words that begin sentences, by language: what a full stop means after and before them.

Languages are ISO 639-1 codes. Words are in small letters, without spaces and the last full stop: "z. B." is "z.b".
"""

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from hf_vits.text.espeak import voice_for

_ORDINAL_DOT = "bs cs da de et eu fi fo hr hu is kl lb ltg lv nb nn no pl sk sl smj sr tr"
"""Languages in which a full stop after a number makes it an ordinal: "am 3. Mai", "XVI. Lajos"."""

# Titles, after which a name follows: never the end of a sentence.
# fmt: off
_TITLES = {
    "": "dr prof mr mrs ms dipl ing",
    "en": "messrs mx rev gen col maj capt cpt sgt cpl hon gov sen rep pres supt mt",
    "de": "hr hrn fr frl drs hl",
    "hu": "ifj özv szt gr br",
    "sl": "gdč sv",
    "fi": "hra rva tri",
    "et": "hr prl",
    "lv": "kgs",
    "nb": "hr fr frk",
    "da": "hr fr frk skt",
    "sv": "hr fr frk",
    "nl": "dhr mevr mw drs ir ds",
    "cs": "pí mgr bc mudr judr phdr rndr paeddr thdr mvdr arch akad sv bl gen plk pplk mjr kpt npor",
    "sk": "mgr bc mudr judr phdr rndr sv gen plk pplk mjr kpt",
    "pl": "hab mgr inż św gen płk ppłk mjr kpt",
    "es": "sr sra srta sres sras d dª dña dra drs dras profa lic arq gral cnel tte sgto mons hno hna hnos sto sta "
    "excmo excma ilmo ilma pbro",
    "ca": "sr sra srta dra sta",
    "pt": "sr sra srs sras srta dra drs profa profª eng engª arq cel ten sgt pe exmo exma ilmo ilma sto sta",
    "it": "sig sigg sigra dott dottssa profssa avv arch geom rag mons gen comm ss sta spett egr gent ill chiarmo "
    "preg",
    "fr": "mm mme mmes mlle mlles mgr me drs ste",
    "ro": "dl dna sf",
    "tr": "doç av sn öğr yrd hz",
    "hr": "gđa gđica sv",
    "lt": "doc šv",
    "ru": "г-н г-жа гн гжа акад св",
    "uk": "акад св",
    "el": "κος κα δρ",
}
# In the midst of a sentence if a number follows; else words like any other.
_BEFORE_NUMBERS = {
    "": "no nos nr fig vol p pp tel art cap max min",
    "en": "ch sec eq ex",
    "de": "abb abs kap bd s ziff anm nrn",
    "hu": "sz old",
    "sl": "št čl pogl",
    "fi": "nro n s klo puh",
    "et": "lk ptk kl",
    "lv": "lpp plkst tālr",
    "nb": "s kap kl tlf pkt",
    "da": "s kap kl tlf stk pkt",
    "sv": "s kap kl sid",
    "nl": "blz pag hfst afb",
    "cs": "č čís s kap čl odst obr tab roč",
    "sk": "č čís s kap čl ods obr tab roč",
    "pl": "s rozdz ust rys tab pkt poz",
    "es": "núm n nº n° pág págs arts tfno s sig ss",
    "ca": "núm pàg s",
    "pt": "núm n nº pág págs arts séc s",
    "it": "n nn pag pagg artt sec v vv",
    "fr": "n chap tél",
    "tr": "s sf",
    "hr": "br čl",
    "ru": "стр рис табл гл п т",
    "uk": "стор рис табл гл п т",
}
# May end a sentence, and does before a capital letter.
_TRAILING = {
    "": "etc al am pm a.m p.m",
    "en": "inc ltd co corp jr sr esq bros plc",
    "de": "usw usf u.a.m u.v.a ev gmbh",
    "hu": "stb kft bt zrt nyrt",
    "sl": "itd ipd d.o.o",
    "fi": "jne yms ym tms",
    "et": "jne jms jpm",
    "lv": "utt u.c u.tml",
    "nb": "osv m.m m.fl o.l",
    "da": "osv m.m m.fl o.l",
    "sv": "osv m.m m.fl",
    "nl": "enz e.d e.a",
    "cs": "atd apod aj s.r.o a.s",
    "sk": "atď apod s.r.o a.s",
    "pl": "itd itp",
    "es": "a.c d.c s.a s.l",
    "pt": "a.c d.c s.a lda ltda",
    "it": "ecc a.c d.c s.p.a s.r.l",
    "tr": "vb",
    "hr": "itd sl",
    "lt": "kt",
    "ru": "др и.др т.д т.п",
    "uk": "ін т.д т.п",
}
# Stand in the midst of sentences and at their ends: the end is seen if a word follows that begins one.
_EITHER = {
    "": "vs cf approx e.g i.e st",
    "en": "eg ie viz esp lt ft jan feb mar apr jun jul aug sep sept oct nov dec ave blvd rd est ed eds trans sq "
    "dept cent",
    "de": "co bzw ca evtl ggf vgl z.b zb d.h z.t zzt sog bspw insb inkl exkl zzgl abzgl geb verh gest röm kath evang "
    "kgl ehem gegr hg hrsg mind rd gem lt betr bez mio mrd tsd v.chr n.chr i.d.r i.a u.a m.w stv jmd etw resp "
    "wg mag jan feb mär apr jun jul aug sept okt nov dez str jh jhd std sek ed adr stk pl lfd chr",
    "hu": "ill id hg ún kb pl ld vö t.k n.b u.n jan febr márc ápr jún júl aug szept okt nov dec bp krt u em du de rt "
    "fej",
    "sl": "mag g ga npr oz t.j t.i t.im prim pr doc akad roj str letn jan feb apr jun jul avg sept okt nov dec ur "
    "stol l",
    "fi": "esim ks mm ns vrt toim ent fil nti alk lat engl ruots ven saks milj mrd mlj tuh ekr jkr v t os huom kpl",
    "et": "nt vt sh s.t tn kd ca jt ak pr ekr pkr a u v s",
    "lv": "piem t.b t.i sk sal apm asoc doc kņ kdze tūkst milj mljrd g gs gadsimts nor janv febr apr aug sept okt "
    "nov dec",
    "nb": "f.eks feks bl.a dvs jf adm dir ev evt pga ifm ift mht ca kap mill mrd inkl ekskl red avd jan feb mar apr "
    "aug sept okt nov des f.kr e.kr gt kr",
    "da": "f.eks feks bl.a dvs jf adm evt pga ifm ift mht ca mio mia inkl ekskl red afd vedr cand lic jan feb mar "
    "apr aug sept okt nov dec f.kr e.kr gl kr",
    "sv": "t.ex bl.a dvs jfr pga f.d s.k ca inkl exkl red milj mrd tkr jan feb apr aug sept okt nov dec f.kr e.kr "
    "kr",
    "nl": "bijv bv d.w.z o.a ca m.b.t t.a.v resp vgl zgn mln mld i.z i.v.m o.b.v t.g.v z.g jan feb mrt apr jun jul "
    "aug sept okt nov dec v.chr n.chr chr jl str sint",
    "cs": "doc tzv např tj t.j resp popř příp event cca mj des tis mil mld ul nám vč zvl zejm kupř p sl r l n hod "
    "tř př.n.l n.l kč odd str",
    "sk": "doc tzv napr tj resp príp cca tis mil mld ul nám najmä p r l n hod tr pr.n.l n.l str",
    "pl": "np tzn tzw tj m.in ul al pl ks por im ok zob wg ew red r w godz ur zm p.n.e n.e zł str",
    "es": "p.ej ej aprox cía dpto fdo rte av avda ctra ud uds vd vds ee ee.uu jj.oo ss.mm ff.aa jj ff aa mm ene feb "
    "abr jun jul ago sept oct nov dic ed izq dcha máx mín cap fr rdo",
    "ca": "p.ex aprox av ctra",
    "pt": "p.ex aprox cia depto dep av trav gen cap fr v.ex v.exª ex jan fev abr jun jul ago set out nov dez ed eua "
    "obs",
    "it": "p.es es cfr ca rev on sen col cap ten magg serg cav don pza vle cso feb apr giu lug ago sett ott nov dic "
    "ed",
    "fr": "m pr p.ex c.-à-d cad env bd bld av pex janv févr avr juil sept oct nov déc j.-c apr adj hab éd",
    "ro": "cca resp str bd av nr",
    "tr": "örn bkz mah cad sok gör alb m.ö m.s yy",
    "hr": "npr tj tzv ul mag doc akad g st r god",
    "lt": "pvz t.y vadin ty p a g pr pan žr plg m d",
    "ru": "проф доц им ул пл пр см ср тов т.е те тн кн г гг в вв р руб коп тыс млн млрд н.э нэ час мин ст",
    "uk": "проф доц ім ул вул пл див тобто тзв т.зв р рр ст грн тис млн млрд",
    "el": "κ καθ αγ βλ π.χ λ.χ",
}
# Words that stand with a capital at the beginning of a sentence only: pronouns, articles, conjunctions, adverbs.
_STARTERS = {
    "en": "the this that these those there then thus they he she it we you i his her its our my your their who what "
    "when where why how which and but or so yet if as at after all although an another because before both by "
    "do did does during each even every everyone everything few finally first for from here however in is no "
    "nobody not nothing now of on once one only otherwise perhaps since some still to today together until "
    "was were will with without would a let maybe meanwhile more most never later soon whoever whether while",
    "de": "der die das ein eine einen einem einer er sie es wir ihr ich du man mein meine sein seine seinen unser "
    "unsere dieser diese dieses diesem diesen jener jene jenes wer was wann wo warum wie welche welcher und "
    "aber oder doch denn wenn weil als ob da dann dort hier heute gestern morgen jetzt nun so auch nur noch "
    "schon sehr im in am an auf aus bei beim mit nach seit über um unter vor während zu zum zur zwischen "
    "durch für gegen ohne nicht nichts kein keine niemand jeder jede alle alles viele einige danach dabei "
    "damals später trotzdem außerdem deshalb dennoch zwar bald endlich vielleicht ist war hat",
    "hu": "a az egy ez azt ezt ő ők én mi ti te és de vagy ha hogy mert amikor mikor hol hova miért ki aki ami itt "
    "ott akkor most ma tegnap holnap már még csak nem is így úgy után előtt azonban később aztán majd minden "
    "senki semmi volt van nincs",
    "sl": "on ona ono mi vi oni jaz ti ta to tisti in pa ali vendar če ko ker kdo kaj kdaj kje zakaj kako tu tam "
    "zdaj danes včeraj jutri nato potem še že tudi ne ni je so bil bila v na po za iz ob med pred pri vse vsi "
    "nihče",
    "fi": "hän he se ne me te minä sinä tämä tuo nämä nuo ja mutta tai jos kun koska että kuka mikä mitä missä "
    "milloin miksi miten siellä täällä siis sitten nyt tänään eilen huomenna myös vain ei on oli ovat kaikki "
    "kukaan myöhemmin",
    "et": "ta tema nad me te ma sa see need ja aga või kui sest et kes mis kus millal miks kuidas siin seal siis "
    "nüüd täna eile homme ka ainult ei on oli kõik keegi hiljem pärast",
    "lv": "viņš viņa viņi viņas mēs jūs es tu tas tā tie tās šis šī un bet vai ja kad jo ka kas kur kāpēc kā te tur "
    "tad tagad šodien vakar rīt arī tikai ne nav ir bija visi neviens pēc no uz ar par",
    "nb": "han hun den det de vi dere jeg du en et ei dette disse og men eller hvis når fordi at hvem hva hvor "
    "hvorfor hvordan her der da så nå i på til fra med av for etter før om under ved ikke ingen alle dag også "
    "bare er var har",
    "da": "han hun den det de vi i jeg du en et dette disse og men eller hvis når fordi at hvem hvad hvor hvorfor "
    "hvordan her der da så nu på til fra med af for efter før om under ved ikke ingen alle også kun er var "
    "har",
    "sv": "han hon den det de vi ni jag du en ett detta dessa och men eller om när för att vem vad var varför hur "
    "här där då så nu i på till från med av efter före under vid inte ingen alla också bara är hade har",
    "nl": "de het een hij zij ze wij we jullie ik jij je dit dat deze die en maar of als toen omdat wie wat waar "
    "wanneer waarom hoe hier daar dan nu in op aan uit bij met na naar om over sinds tijdens tot van voor "
    "zonder niet niets geen niemand iedereen alle veel later ook nog zo was is er mijn zijn hun onze",
    "cs": "on ona ono oni my vy já ty ten ta to ti tato tento a ale nebo však když protože že kdo co kdy kde proč "
    "jak tam tady zde pak potom nyní teď dnes včera zítra také jen ne není je byl byla bylo byli v ve na po "
    "za z ze u o od do při před pro s se k všichni nikdo později",
    "sk": "on ona ono oni my vy ja ty ten tá to tí a ale alebo však keď pretože že kto čo kedy kde prečo ako tam tu "
    "potom teraz dnes včera zajtra tiež len nie je bol bola bolo boli v vo na po za z zo u o od do pri pred "
    "pre s so k všetci",
    "pl": "on ona ono oni one my wy ja ty ten ta to ci te a i ale lub albo jednak gdy kiedy ponieważ że kto co "
    "gdzie dlaczego jak tam tu tutaj potem teraz dziś wczoraj jutro także tylko nie jest był była było byli w "
    "we na po za z ze u o od do przy przed dla wszyscy nikt później",
    "es": "el la los las un una unos unas él ella ello ellos ellas yo tú usted nosotros este esta esto estos ese "
    "esa eso aquel aquella su sus mi mis y e o pero sino si cuando porque aunque que quien qué quién cómo "
    "dónde cuándo aquí allí ahora hoy ayer mañana luego después antes entonces también sólo solo no nada "
    "nadie nunca en de a con por para sin sobre desde hasta entre hay es era fue ha todo todos se lo le me "
    "más muy ya",
    "ca": "el la els les un una ell ella ells elles jo tu vostè aquest aquesta això i però o si quan perquè que qui "
    "on com aquí allà ara avui ahir demà després també no en de a amb per és era va",
    "pt": "o a os as um uma uns umas ele ela eles elas eu tu você nós este esta isto esse essa isso aquele aquela "
    "seu sua meu minha e mas ou se quando porque embora que quem como onde aqui ali lá agora hoje ontem "
    "amanhã depois antes então também só não nada ninguém nunca em no na nos nas de do da com por para sem "
    "sobre desde até entre há é era foi tem todo todos já mais muito",
    "it": "mi ti ci vi ché ne il lo la i gli le un uno una egli ella lui lei esso essa noi voi loro io tu questo "
    "questa questi quello quella suo sua mio mia e ed ma o se quando perché benché che chi come dove qui lì "
    "là ora oggi ieri domani poi dopo prima allora anche solo non nulla niente nessuno mai in nel nella di "
    "del della a al alla con per senza su da fra tra c è era fu ha tutto tutti si più molto già",
    "fr": "le la les un une des il elle on nous vous ils elles je tu ce cet cette ces son sa ses mon ma mes leur et "
    "mais ou donc or si quand parce que qui quoi comment où pourquoi ici là maintenant hier demain puis après "
    "avant alors aussi ne non rien personne jamais en dans de du à au aux avec par pour sans sur depuis entre "
    "c est était fut tout tous",
    "tr": "o bu şu onlar biz siz ben sen bir ve ama fakat ya eğer çünkü kim ne nerede niçin neden nasıl burada "
    "orada sonra şimdi bugün dün yarın da de değil her hiç",
    "hr": "on ona ono oni mi vi ja ti taj ta to i a ali ili ako kad jer da tko što gdje zašto kako ovdje tamo zatim "
    "sada danas jučer sutra također samo ne nije je bio bila bilo bili u na po za iz od do pri pred svi nitko",
    "ru": "он она оно они мы вы я ты этот эта это эти тот та то те и а но или если когда потому что кто где почему "
    "как здесь там потом теперь сегодня вчера завтра тоже только не нет был была было были в во на по за из у "
    "о от до при перед для с со к все никто затем",
    "uk": "він вона воно вони ми ви я ти цей ця це ці той та те і й а але або якщо коли бо що хто де чому як тут "
    "там потім тепер сьогодні вчора завтра також тільки не ні був була було були в у на по за з із о від до "
    "при перед для всі",
    "ro": "el ea ei ele noi voi eu tu acest această acesta și dar sau dacă când pentru că cine ce unde cum aici "
    "acolo apoi acum azi ieri mâine nu în la de cu pe un o este era a",
}
# fmt: on
_PARTICLES = "al an da das de del den der des di do dos du el la las le lo los van von ten ter so y e o i a"
"""Words that begin sentences, and family names after an initial too."""

_ROMAN = re.compile(r"(?=[MDCLXVI])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_DOTTED = re.compile(r"(?<!\w)(?:[^\W\d_]{1,3}\.[\s-]*)+[^\W\d_]{1,4}$")
_WORD = re.compile(r"[^\W\d_][\w.’']*$")
_NUMBER = re.compile(r"(?<![\w.,:/-])(?:[0-9]{1,2}\.\s?)?[0-9]{1,3}$")
_NEXT_WORD = re.compile(r"[^\W\d_]+")
_LOOK_BACK = 24


@dataclass(frozen=True)
class Conventions:
    """
    What full stops mean in a language, or in any of them if it is not known.

    Args:
        ordinals: whether a full stop makes a number an ordinal.
        titles, before_numbers, trailing, either: abbreviations, see the tables.
        starters: words that begin sentences.
        titles_are_sure: whether titles end no sentence; what is a title of one language is a word of another.
    """

    ordinals: bool
    titles: frozenset[str]
    before_numbers: frozenset[str]
    trailing: frozenset[str]
    either: frozenset[str]
    starters: frozenset[str]
    titles_are_sure: bool = True

    def ends_sentence(self, text: str, start: int, stop: int, following: int) -> bool:
        """
        Tells whether the single full stop at `stop` ends the sentence that begins at `start`.

        `following` is the place of the first character after it that is neither white space nor an opening mark.
        """
        start = max(start, stop - _LOOK_BACK)
        if following >= len(text):
            return True
        if _NUMBER.search(text, start, stop):
            return not self.ordinals or self._begins(text, following)
        dotted, word = _DOTTED.search(text, start, stop), _WORD.search(text, start, stop)
        for name in _names(dotted, word):
            if (verdict := self._after(name, text, following)) is not None:
                return verdict
        if word is None:
            return True
        if len(word[0]) == 1 or "." in word[0]:  # an initial, "U.S"
            return self._begins(text, following, after_name=not _ROMAN.fullmatch(word[0]))
        if self.ordinals and _ROMAN.fullmatch(word[0]):
            return self._begins(text, following)
        return True

    def _after(self, name: str, text: str, following: int) -> bool | None:
        """Whether a sentence ends after an abbreviation; `None` for a word that is none."""
        if name in self.before_numbers and (text[following].isdigit() or _is_roman(text, following)):
            return False
        if name in self.titles:
            return not self.titles_are_sure and self._begins(text, following, after_name=True)
        if name in self.trailing and text[following].isupper():
            return True
        return self._begins(text, following) if name in self.either or name in self.trailing else None

    def _begins(self, text: str, following: int, after_name: bool = False) -> bool:
        """Whether a word follows that has its capital because it begins a sentence."""
        word = _NEXT_WORD.match(text, following)
        if word is None or not word[0][0].isupper() or (len(word[0]) == 1 and text[word.end() :][:1] == "."):
            return False
        name = unicodedata.normalize("NFC", word[0]).lower()
        return name in self.starters and not (after_name and name in _PARTICLES.split())


def begins_sentence(word: str, language: str | None) -> bool:
    """Whether a capital word begins a sentence, or a line of verse, as no name does; not "I" and the polite "Sie"."""
    name = unicodedata.normalize("NFC", word).lower()
    return word[:1].isupper() and name not in ("i", "sie", "ihr", "ihnen") and name in conventions(language).starters


@functools.lru_cache(maxsize=256)
def conventions(language: str | None) -> Conventions:
    """The conventions of a language, given by its ISO code or espeak voice; those of all for `None`."""
    code = None if language is None else voice_for(language).split("-")[0].split("+")[0]

    def words(table: dict[str, str]) -> frozenset[str]:
        return frozenset(
            word for name, listed in table.items() if code is None or name in ("", code) for word in listed.split()
        )

    titles, before, trailing, either = map(words, (_TITLES, _BEFORE_NUMBERS, _TRAILING, _EITHER))
    starters = words(_STARTERS) or frozenset().union(*(listed.split() for listed in _STARTERS.values()))
    if code is None:
        starters -= frozenset(["mai", "ali", "per"])  # a month and names elsewhere
        trailing = trailing - either - titles | frozenset(_TRAILING[""].split())
    ordinals = code is None or code in _ORDINAL_DOT.split()
    return Conventions(ordinals, titles, before, trailing, either, starters, titles_are_sure=code is not None)


def _names(dotted: re.Match | None, word: re.Match | None) -> Iterator[str]:
    """Yield what may be an abbreviation before a full stop: several with dots, one, one after "l'" or "dell'"."""
    for found in filter(None, (dotted, word)):
        yield _bare(found[0])
    if word and len(elided := re.split("['’]", word[0])) > 1 and len(elided[-1]) > 1:
        yield _bare(elided[-1])


def _bare(word: str) -> str:
    return unicodedata.normalize("NFC", re.sub(r"\s", "", word)).lower()


def _is_roman(text: str, position: int) -> bool:
    word = _NEXT_WORD.match(text, position)
    return word is not None and _ROMAN.fullmatch(word[0]) is not None
