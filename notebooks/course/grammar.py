"""The generated shop's language: its words, its products, and the descriptions it writes.

A product is six shared attributes, see ``SHARED``; as codes (n, 6) they are places in the lists
that `options` returns, as rows they are tuples of str. A description states some of them and adds
what no photo shows: delivery, care, brand. Every choice is a throw of dice that are thrown for
many texts at once, so a million descriptions take seconds.
"""

import collections
import functools
import itertools
import re

import numpy as np

SHARED = ("type", "colour", "pattern", "accent", "cut", "detail")  # seen in photo and in words
OMITTED = (0, 10, 12, 12, 14, 14)  # per cent of the texts that leave each of them unsaid
COLOURS = {  # name: RGB, words that belong to no other colour
    "black": ((40, 40, 46), "black, jet-black, ebony"),
    "white": ((246, 246, 244), "white, ivory, snow-white"),
    "grey": ((136, 140, 146), "grey, slate, ash"),
    "red": ((200, 28, 38), "red, scarlet, crimson"),
    "orange": ((243, 124, 22), "orange, tangerine, pumpkin"),
    "yellow": ((250, 214, 52), "yellow, mustard, lemon"),
    "green": ((36, 134, 66), "green, emerald, fern"),
    "blue": ((34, 88, 190), "blue, navy, cobalt"),
    "purple": ((112, 52, 152), "purple, violet, plum"),
    "pink": ((246, 150, 186), "pink, rose, blush"),
}
PATTERNS = {  # name: adjectives, nouns, where the accent is printed on a tile of 64 x 64 cells
    "plain": ("plain, unpatterned, solid-colour", "", None),
    "stripes": ("striped, hooped", "stripes, hoops, horizontal stripes", lambda u, v: v < 22),
    "pinstripes": (
        "pinstriped, pinstripe",
        "pinstripes, fine pinstripes",
        lambda u, v: u % 32 < 9,
    ),
    "dots": (
        "dotted, polka-dot, spotted",
        "dots, polka dots, spots",
        lambda u, v: ((u + v) % 64 - 32) ** 2 + ((u - v) % 64 - 32) ** 2 < 340,
    ),
    "checks": ("checked, chequered", "checks, chequers", lambda u, v: (u < 14) | (v < 14)),
    "zigzag": ("zigzag, chevron", "zigzags, chevrons", lambda u, v: (v + abs(u - 32)) % 64 < 22),
}
# "= type|family|nouns|shapes", then each "~ cut" and "^ detail" as "phrases|numbers and shapes".
# A phrase follows "with" or, after "+", stands before the noun. A shape is ink, kind, points right
# and down in hundredths of the frame. Ink: b body, n body never printed, a accent, k seam,
# i inside, g metal, f fold; "_" before it: under the rest. Kind: p polygon, s smooth,
# l line, c curve (and its width), o oval (centre, radii), d five dots (radius). "=": half a shape,
# closed by its mirror image; "&": also its mirror image. "*": a corner sharp in smooth or reverse.
TYPES = """
= t-shirt|wear|T-shirt, tee, jersey top|bp= 0,-32 11,-38 23,-34 21,-14 22,36 0,38 al2 -21,34 21,34
fl& 12,-4 17,24 fl& 21,-14 12,-9 ~ +short-sleeved, short sleeves|_bp& 11,-38 30,-32 43,-12 31,-4
20,-16 al3& 30,-6 41,-14 ~ +long-sleeved, long sleeves|_bp& 11,-38 29,-33 39,-5 44,26 34,29 28,0
20,-14 ap& 44,23 45,29 34,32 33,26 ~ +sleeveless, no sleeves|al3& 22,-33 19,-24 20,-13 ^
+crew-neck, a round neck|as= 0,-38 13,-40* 11,-28 0,-24 is= 0,-39 9,-40* 8,-32 0,-28 ^ +V-neck, a
V-shaped neckline|ap= 0,-39 13,-39 0,-13 ip= 0,-39 9,-39 0,-21
= hoodie|wear|hoodie, hooded sweatshirt, hooded jumper|bp= 0,-28 14,-31 26,-27 24,-8 25,32 0,33
_bp& 13,-30 28,-27 38,0 42,30 32,33 28,4 22,-8 bs= 0,-49 15,-47 19,-32 12,-22 0,-18 is= 0,-43
10,-42 11,-32 0,-23 ap= 0,32 25,31 24,38 0,38 ap& 42,29 43,36 33,38 32,32 ~ +zip-up, a full-length
zip|al4 0,-19 0,33 gl2 0,-19 0,32 ~ a kangaroo pocket, one wide front pocket|np= 0,8 11,8 19,25
0,25 al2& 11,8 19,25 ^ long drawstrings, chunky drawstrings|al3& 5,-23 7,0 ao& 7,1 2,2 ^ a round
chest badge, a badge on the chest|ao 12,-12 6,6 no 12,-12 3,3 ^ elbow patches, sewn-on elbow
patches|as& 31,-3 38,4 41,17 34,19 30,5
= dress|wear|dress, frock, day dress|bp= 0,-32 12,-36 14,-26 10,-10 W,Y 0,Y+3 ap= 0,-13 11,-13
12,-7 0,-7 fl& 5,-4 9,Y-4 fl& 10,-6 W-7,Y-4 ~ +mini, a mini length|W=21 Y=13 ~ +maxi, a maxi
length|W=33 Y=52 ^ +strappy, thin shoulder straps|_al3& 9,-33 8,-47 ^ +short-sleeved, short
sleeves|_bp& 0,-28 5,-45 14,-44 27,-29 20,-22 12,-28 al3& 20,-22 26,-29 ^ +long-sleeved, long
sleeves|_bp& 0,-28 5,-45 14,-44 22,-30 30,2 24,4 13,-20 ap& 29,-1 30,5 24,7 23,2
= skirt|wear|skirt, swing skirt, A-line skirt|bp= 0,T 14,T W,Y 0,Y+3 ap= 0,T-2 14,T-2 15,T+4 0,T+4
fl& 5,T+6 10,Y-2 fl& 11,T+8 W-7,Y-2 ~ +mini, a mini length|T=-16 W=27 Y=16 ~ +maxi, a maxi
length|T=-46 W=31 Y=48 ^ +button-front, buttons down the front|kl1 0,T+5 0,Y ad3 0,T+9 0,Y-4 ^
+pompom-trimmed, a pompom hem|ad5 -W+4,Y W-4,Y ^ a bow at the waist, a tied bow|as& 0,T+1 9,T-7
14,T+1 9,T+9 ap& 0,T+2 2,T+2 9,T+16 4,T+17
= trousers|wear+|trousers, slacks, chinos|bp& 0,-44 15,-44 18,-25 K,4 W,44 V,44 J,4 0,-14 ap= 0,-46
15,-46 16,-39 0,-39 kl1 0,-39 0,-15 fl& 11,-20 10,34 ~ +slim-leg, narrow legs|K=15 W=12 V=3 J=3 ~
+wide-leg, wide legs|K=23 W=28 V=4 J=3 ~ +flared, legs flared from the knee|K=13 W=27 V=5 J=3 ^
turn-ups at the ankle, turned-up hems|ap& V-1,36 W+1,36 W+1,45 V-1,45 ^ knee patches, patched
knees|as& J+1,-4 K-2,-4 K-2,13 J+1,13
= coat|wear|coat, overcoat, jacket|_bp& 12,-40 26,-36 34,-8 38,18 28,20 22,-6 ap& 37,13 38,20 28,22
27,16 bp= 0,-40 12,-42 24,-36 21,-10 W,Y 0,Y+1 is= 0,-43 9,-43 8,-36 0,-32 kl1 0,-20 0,Y ap& 8,-44
15,-41 16,-28 10,-29 0,-14 0,-22 fl& 14,-2 W-7,Y-3 ~ +cropped, a cropped body|W=20 Y=12 ~
+full-length, a long body|W=29 Y=50 ^ +single-breasted, one row of buttons|ad2 3,-9 3,Y-6 ^
+double-breasted, two rows of buttons|ad2& 8,-9 8,Y-6 ^ +belted, a tie belt|ap= 0,-8 21,-8 22,-1
0,-1 ap 0,-7 6,-7 9,10 2,10 ap -6,-10 0,-10 0,1 -6,1
= sneaker|shoe+|sneakers, trainers, sports shoes|bs -42,20* -43,2 -39,H* -13,H-2* -9,-8 14,1 36,4
44,20* io -26,H 12,3 fl -14,-4 -16,16 as -45,16* 45,16* 47,S-4 42,S* -44,S* -47,S-4 as 24,3* 38,5
44,17* 28,17* ~ +low-top, a low ankle line|H=-12 S=25 ~ +high-top, a high padded ankle|H=-36 S=25 ~
+platform, a thick platform sole|H=-12 S=36 ^ +lace-up, laces|al3 -16,-1 -5,-8 al3 -8,3 4,-5 al3
0,7 12,-1 ^ two touch straps, touch-close straps|ap -20,4 -9,-9 -2,-6 -11,8 ap -7,10 4,-4 11,-1
3,13
= boot|shoe+|boots, winter boots, outdoor boots|ap -28,24 -8,24 -8,38 -28,38 ap -28,26 41,26 42,32
-28,32 bs -28,28* -29,10 -25,H* 4,H* 5,6 12,12 36,16 41,28* ap -26,H 5,H 5,H+5 -26,H+5 fl -12,0 4,8
fl -20,H+8 -20,12 ~ +ankle-high, an ankle-high shaft|H=-16 ~ +knee-high, a knee-high shaft|H=-56 ^
a buckled strap, a strap and buckle|ap -28,-2 5,-2 8,6 -28,6 go -2,2 4,4 ao -2,2 2,2 ^ +lace-up,
laces|al2 -6,-8 6,-4 al2 -6,-4 6,-8 al2 -6,0 8,5 al2 -4,5 8,0 al2 0,11 16,10 ^ +wool-cuffed, a
woolly cuff|ad5 -24,H+1 3,H+1 ad4 -20,H+5 -1,H+5
= socks|wear+|socks, knitted socks, everyday socks|_bs -22,H-5* -2,H-5* -2,8 4,13 20,19 26,29 16,35
-10,33 -20,25 -22,11 bs -14,H* 8,H* 8,12 14,17 32,22 38,34 28,40 0,39 -12,31 -14,16 fl 8,12 -8,16
_ap -22,H-6 -2,H-6 -2,H -22,H ap -14,H-1 8,H-1 8,H+5 -14,H+5 ~ +ankle-length, an ankle-length
leg|H=-4 ~ +knee-high, a long leg|H=-48 ^ a contrast heel and toe, a coloured heel and toe|as
22,20* 36,22 39,34 28,40 18,40* as -14,22* -8,24 0,39* -12,32 ^ turned-down tops, a folded top|ap
-16,H-2 10,H-2 10,H+12 -16,H+12 ^ a pompom on each side, fluffy pompoms|ao 10,H+4 6,6 _ao -24,H 6,6
= handbag|bag|handbag, bag, ladies' bag|bs= 0,-12* 27,-12* 34,32 28,36* 0,36* ap= 0,29 33,29 30,36
0,36 ~ +short-handled, one short handle|_ac4 -16,-10 -15,-30 15,-30 16,-10 ~ a long shoulder strap,
a shoulder strap|_ac3 -26,-10 -18,-72 18,-72 26,-10 ~ +twin-handled, two handles|_ac3& 4,-10 6,-36
22,-36 24,-10 ^ a fold-over flap, a flap with a clasp|ns= 0,-14* 30,-14* 27,8 0,14 ac2 -29,-10
-24,10 24,10 29,-10 ao 0,9 4,4 go 0,9 2,2 ^ a hanging tassel, a swinging tassel|ap 10,-12 12,-12
12,2 10,2 as 7,2* 15,2* 17,18* 5,18* go 11,2 3,3
= backpack|bag|backpack, rucksack, daypack|_ac4 -8,-36 -7,-50 7,-50 8,-36 _ap& 24,-18 31,-10 31,24
24,30 bs= 0,-40* 14,-40 27,-36 29,38 22,41* 0,41* ap= 0,36 26,36 23,42 0,42 ~ +flap-top, a flap
with two clips|ns= 0,-41* 22,-41 29,-30 27,-8 0,-6 ap& 11,-34 15,-34 15,-2 11,-2 go& 13,-4 3,3 ~
+zip-top, a curved zip|ac3 -24,-8 -23,-33 23,-33 24,-8 gl2 22,-12 22,-3 ~ +roll-top, a rolled
top|np= 0,-46 22,-46 26,-42 26,-34 0,-34 ap= 0,-46 4,-46 4,-24 0,-24 go 0,-28 4,3 ^ a front pocket,
one big front pocket|ns= 0,8* 17,8* 19,32 0,33 al3 -17,9 17,9 ^ twin front pockets, two small
pockets|ns& 3,12* 20,12* 20,32 3,32 al3& 4,12 20,12
= hat|wear|sun hat, summer hat, garden hat|bs= 0,-36 18,-34 23,-14 26,14* 0,15 ap= 0,3 25,3 26,12
0,13 fl& 5,-30 9,0 ~ +wide-brimmed, a wide brim|_bs= 0,3 30,3 50,12 30,22 0,23 ~ +narrow-brimmed, a
narrow brim|_bs= 0,6 22,6 35,12 22,19 0,20 ~ an upturned brim, a rolled-up brim|ns= 0,10 26,9 36,-2
46,-8 44,8 28,20 0,21 ^ a ribbon bow, a bow on the band|as 14,7 6,-1 -2,2 -2,13 6,15 as 14,7 22,-1
30,2 30,13 22,15 ao 14,7 3,3 ^ a tall feather, a feather in the band|as 16,8* 15,-12 28,-40* 33,-14
22,4 kl1 17,6 27,-34
= beanie|wear|beanie, knitted cap, woolly cap|bs= 0,-30 22,-29 33,-8 34,22* 0,24 fl& 6,-24 10,4 fl&
18,-22 24,4 ~ +cuffed, a turned-up cuff|ns= 0,8* 35,7* 36,26* 0,28 al3 -35,10 35,10 kl1& 7,11 7,27
kl1& 21,11 21,26 ~ +ear-flap, ear flaps|_bs& 12,18* 34,14* 36,30 24,42 14,30 _al3& 25,36 26,52 al4
-34,18 34,18 ~ a rolled edge, a thin rolled rim|as= 0,18 36,16* 36,24* 0,27 ^ a pompom, a big
bobble on top|ao 0,-35 11,10 fo 2,-33 4,4 ^ a sewn-on badge, a round badge|ao 0,-6 9,9 no 0,-6 5,5
= mug|table|mug, coffee mug, tea mug|bs= 0,T* W,T* W-1,B W-6,B+3* 0,B+4 ao 0,T W,6 io 0,T W-4,4 ap=
0,B-3 W-1,B-4 W-4,B+3 0,B+4 ~ +tall, a tall body|T=-38 B=36 W=20 ~ +squat, a low wide body|T=-16
B=20 W=32 ^ a round handle, a curved handle|_ac6 W-2,T+10 W+20,T+6 W+20,B-6 W-3,B-10 ^ a square
handle, an angular handle|_al6 W-2,T+9 W+15,T+9 W+15,B-9 W-3,B-9 ^ +two-handled, a handle on each
side|_ac5& W-2,T+10 W+16,T+6 W+16,B-6 W-3,B-10
= umbrella|rain|umbrella, brolly, rain umbrella|_gl3 0,-46 0,36 _gl3 0,-46 0,-40 ~ +crook-handled,
a hooked handle|ac5 0,20 0,42 13,48 14,34 ~ a straight handle, a slim upright handle|ap= 0,16 3,16
4,42 0,42 ^ +scalloped, a scalloped edge|bs= 0,-42 30,-40 46,-4* 38,-12 30,-2* 22,-11 15,0* 7,-10
0,0* kc1& 0,-41 12,-32 15,0 kc1& 0,-41 28,-34 30,-2 ^ +straight-edged, a straight edge|bs= 0,-42
34,-42 46,-2* 0,-2* ap= 0,-6 45,-6 46,-1 0,-1 kc1& 0,-41 15,-30 17,-2 ^ +pompom-trimmed, a pompom
edge|bs= 0,-42 34,-42 46,-4* 0,-2* ad5 -40,-3 40,-3 ad5 -30,-2 30,-2
= teapot|table|teapot, breakfast teapot, family teapot|_bs 16,10* 28,4 36,-20* 44,-22* 38,8 18,26*
as= 0,T-7 9,T-6 14,T+2* 0,T+3 ao 0,T-9 4,4 ap= 0,29 19,28 20,33 0,33 ~ +round, a round body|T=-20
bs= 0,-20* 12,-20 32,-8 31,18 18,30* 0,31* ~ +tall, a tall body|T=-38 bs= 0,-38* 12,-38* 20,-10
28,14 22,30* 0,31* ~ +straight-sided, straight sides|T=-26 bp= 0,-26 24,-26 25,30 0,31 ^ a side
handle, a handle at the side|_ac5 -16,-12 -46,-20 -46,20 -18,18 ^ a handle over the top, an
overhead handle|_ac4 -22,0 -30,T-24 30,T-24 22,0
"""
# {a|b} is one of them; N noun phrase, A with its article, T "this N", F features, B brand.
FRAMES = """{A|A|Our N|The N} with F.
{N with F|N with F|N: F}.
{Say hello to|Discover|Meet|Treat yourself to|New in:} A with F.
{Expect|Look out for|Look for} F on T.
{T|T from B}, {complete|made|designed} with F.
{N by B with F|N by B: F|B presents A with F}.
{We love|You will love|Customers love} T with F.
{From B|Back by demand|Just landed|Staff favourite|Bestseller}: A with F."""
BARE = "{Say hello to|Discover|Meet} A.\n{N by B|From B: A|Back by demand: A|Just landed: A}."
BRAND = "{Northby|Alder and Finch|Marlowe|Tilda Row|Okapi Lane|Hartwell|Juniper House|Pemberly}"
TRIM = "{trim|trim|details|accents|trimmings|finishing touches}"
PROSE = {
    "any": """Free delivery {over thirty pounds|on every order|until Sunday|this week}.
{Was 40, now 25|Was 60, now 45|Now half price|Great value} {while stocks last|online}.
{Ships|Posted|Dispatched} {within two days|tomorrow|the same day|from our warehouse}.
A {lovely|thoughtful|popular} gift for {birthdays|a friend|the whole family|the holidays}.
{Thirty|Sixty|Ninety}-day returns{, no questions asked||, free of charge}.
Rated {4.6|4.7|4.8|4.9} by {our customers|over 200 buyers|happy shoppers}.
{Designed in Leeds|Made in Portugal|Made by a family workshop}, {built|guaranteed} to last.
{Only a few left|Selling fast|Limited stock}, so {order soon|do not wait|get yours today}.""",
    "wear": """{Machine wash|Wash} {cool|at thirty degrees|inside out|with similar fabrics}.
{True to size|Generous fit|Comes up small}, so {take your usual size|see our size guide}.
{Soft|Breathable|Easy-care} {organic cotton|cotton blend|fabric} {for every day|that lasts}.
{Perfect|Made|Ideal} for {weekend|holiday|everyday|early} {walks|trips|outings|mornings}.""",
    "shoe": """Cushioned insole for {long days|all-day comfort|busy weekends|happy feet}.
{Half sizes available|True to size|Order half a size up}{|, sizes 36 to 46|, sizes 3 to 12}.
{Wipe clean|Brush clean} {with a damp cloth|after each wear|when dry}.""",
    "bag": """Room for {a laptop|a tablet|books} and {lunch|a water bottle|your essentials}.
{Light|Sturdy|Roomy} {and ready for|enough for} {work|travel|college|day trips}.""",
    "table": """{Dishwasher and microwave safe|Dishwasher safe}{|, of course|, always}.
{Hand-glazed|Fired|Thrown} {stoneware|ceramic|porcelain} {for slow mornings|for daily use}.""",
    "rain": """Windproof frame for {stormy days|city showers|April weather|the commute}.
Opens {in a second|at the push of a button} and dries {fast|quickly|overnight}.""",
}


Kind = collections.namedtuple("Kind", "family is_plural nouns shapes cuts details")
Part = collections.namedtuple("Part", "phrases shapes")  # phrases: pairs (words, before the noun)


# --- products -----------------------------------------------------------------------------------


@functools.cache
def types():
    """Parse TYPES into a dict of `Kind` by type; its cuts and details are dicts of `Part`."""
    kinds = {}
    for entry in re.split(r"\s(?=[=~^]\s)", TYPES.strip()):
        *names, words, shapes = " ".join(entry[2:].split()).split("|")
        words = words.split(", ")
        if entry[0] == "=":
            name, family = names
            kind = Kind(family.rstrip("+"), family[-1] == "+", words, shapes, {}, {})
            kinds[name] = kind
        else:
            parts = kind.cuts if entry[0] == "~" else kind.details
            name = re.sub("^an? ", "", next(word for word in words if word[0] != "+"))
            phrases = [(word.lstrip("+"), word[0] == "+") for word in words]
            parts[name] = Part(phrases, shapes)
    return kinds


@functools.cache
def options(kind):
    """Return the allowed values of the six shared attributes of this type, six lists of str."""
    cuts, details = types()[kind][-2:] if kind in types() else ((), ())
    return [list(column) for column in (types(), COLOURS, PATTERNS, COLOURS, cuts, details)]


def random_products(n, rng):
    """Return the codes of n random products, int (n, 6)."""
    draws = rng.integers(0, 2**30, (n, 6))
    n_parts = np.array([[len(part) for part in options(kind)[4:]] for kind in types()])
    n_colours = len(COLOURS)
    codes = draws % [len(n_parts), n_colours, 25, n_colours - 1, 1, 1]
    codes[:, 2] = np.maximum(codes[:, 2] - 1, 0) // 4  # plain 5 times in 25, the others 4 times
    codes[:, 3] = (codes[:, 1] + 1 + codes[:, 3]) % n_colours  # never the colour itself
    codes[:, 4:] = draws[:, 4:] % n_parts[codes[:, 0]]
    return codes


def rows_of(codes):
    """Return products as tuples of six str, from their codes (n, 6)."""
    kinds, colours, patterns = list(types()), list(COLOURS), list(PATTERNS)
    cuts, details = ([options(kind)[place] for kind in kinds] for place in (4, 5))
    return [
        (kinds[t], colours[c], patterns[p], colours[a], cuts[t][x], details[t][y])
        for t, c, p, a, x, y in codes.tolist()
    ]


def columns_of(rows):
    """Return the attributes of products, a dict of str arrays (n,), from their rows."""
    return dict(zip(SHARED, np.array(rows).reshape(-1, 6).T.copy(), strict=True))


def checked(attributes):
    """Return the rows and codes (n, 6) of products from the dict of their attributes.

    ValueError for missing or unknown values and for columns that are not equally long.
    """
    if missing := [name for name in SHARED if name not in attributes]:
        raise ValueError(f"attributes lack {missing}; give arrays of str for all of {SHARED}")
    columns = [np.atleast_1d(attributes[name]).tolist() for name in SHARED]
    if len(set(map(len, columns))) > 1:
        raise ValueError(f"attributes must be equally long; {list(map(len, columns))} came")
    rows = list(zip(*columns, strict=True))
    for row in rows:
        for name, value, allowed in zip(SHARED, row, options(row[0]), strict=True):
            if value not in allowed:
                raise ValueError(f"{name} {value!r} of {row[0]!r} came; choose one of {allowed}")
        if row[1] == row[3]:
            raise ValueError(f"accent must differ from colour; {row[1]!r} came for both")
    codes = [[o.index(v) for o, v in zip(options(row[0]), row, strict=True)] for row in rows]
    return rows, np.array(codes, dtype=np.int64).reshape(-1, 6)


def designs(codes):
    """Return one number for each product, int (n,), equal where all six attributes are."""
    return codes @ 20 ** np.arange(6)


# --- descriptions -------------------------------------------------------------------------------


def describe_products(attributes, *, random_state):
    """Return a shop's description of each product, and what it states.

    Parameters
    ----------
    attributes : dict of str arrays (n,), the six of ``SHARED``
    random_state : int or numpy.random.Generator

    Returns
    -------
    texts : list of n str
    mentions : bool array (n, 6), in the order of ``SHARED``
        The type always, each other attribute in about six texts of seven.
    """
    return describe(checked(attributes)[0], np.random.default_rng(random_state))


def describe(rows, rng):
    """Return (texts, mentions) as `describe_products` does, of rows that are known to be right."""
    mentions = rng.integers(0, 100, (len(rows), 6)) >= OMITTED
    dice = rng.integers(0, 2**30, (len(rows), 64))[:, :48].tolist()  # no text throws more
    texts = [
        _write(row, says, iter(throws).__next__)
        for row, says, throws in zip(rows, mentions.tolist(), dice, strict=True)
    ]
    return texts, mentions


def _pick(choices, die):
    """Return one of several things."""
    return choices[die() % len(choices)]


@functools.cache
def _listed(text, separator=", "):
    """Return the phrases of a list in one str."""
    return tuple(text.split(separator))


@functools.cache
def _expansions(text):
    """Return how many options each {a|b|c} of a template has, and all texts it expands to.

    A text stands at the place that its options' numbers spell, the first one's weighing most.
    """
    parts = re.split(r"\{([^{}]*)\}", text)
    choices = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    sizes = tuple(len(some) for some in choices[1::2])
    return sizes, ["".join(chosen) for chosen in itertools.product(*choices)]


def _expand(text, die):
    """Replace each {a|b|c} by one of its options."""
    sizes, texts = _expansions(text)
    place = 0
    for size in sizes:
        place = place * size + die() % size
    return texts[place]


@functools.cache
def _prose(family):
    """Return the lines of shop prose for a family of products."""
    return f"{PROSE['any']}\n{PROSE[family]}".split("\n")


@functools.cache
def _slots(frame):
    """Return a frame's pieces by turns: text, and a letter of BNTAF that stands for a form."""
    return re.split(r"\b([BNTAF])\b", frame)


def _noun_phrase(row, says, die):
    """Return (noun phrase, list of features) that state exactly the attributes in says."""
    kind, colour, pattern, accent, cut, detail = row
    before, features = [], []
    parts = types()[kind].cuts[cut], types()[kind].details[detail]
    for part, said in zip(parts, says[4:], strict=True):
        phrase, is_before = _pick(part.phrases, die)
        if said:
            (before if is_before else features).append(phrase)
    colour = [_pick(_listed(COLOURS[colour][1]), die)] * says[1]
    accent = _pick(_listed(COLOURS[accent][1]), die) if says[3] else ""
    adjectives, nouns, _ = PATTERNS[pattern]
    adjective = [_pick(_listed(adjectives), die)] * says[2]
    plain, printed = (adjective, []) if pattern == "plain" else ([], adjective)
    if printed and (accent or die() % 2):
        features.insert(0, _print_feature(accent, nouns, bool(features), die))
        printed, accent = [], ""
    if accent:
        features.append(f"{accent} {_expand(TRIM, die)}")
    after = ""
    if colour and not printed and die() % 3 == 2:
        colour, after = [], f" in {colour[0]}"
    words = before + colour if die() % 2 else colour + before
    turn = die() % len(features) if features else 0
    noun = " ".join([*plain, *words, *printed, _pick(types()[kind].nouns, die)]) + after
    return noun, features[turn:] + features[:turn]


def _print_feature(accent, nouns, has_others, die):
    """Return a print as a feature, with the accent's colour if it is stated: "red stripes"."""
    alone = accent and not has_others
    extra = _pick(("", " and trim", " and edging"), die) if alone else ""
    noun = _pick(_listed(nouns), die)
    return f"{accent} {noun}{extra}" if accent else noun


def _sentence(row, says, die):
    """Return a sentence that says what the product is."""
    noun, features = _noun_phrase(row, says, die)
    frame = _expand(_pick(_listed(FRAMES if features else BARE, "\n"), die), die)
    forms = {"N": noun, "B": _expand(BRAND, die)}
    if types()[row[0]].is_plural:
        forms["T"] = f"these {noun}"
        forms["A"] = _pick(("a pair of ", ""), die) + noun
    else:
        forms["T"] = f"this {noun}"
        forms["A"] = ("an " if noun[0] in "aeiouA" else "a ") + noun
    if features:
        *firsts, last = features
        forms["F"] = f"{', '.join(firsts)} and {last}" if firsts else last
    pieces = list(_slots(frame))
    pieces[1::2] = [forms[letter] for letter in pieces[1::2]]
    sentence = "".join(pieces)
    return sentence[0].upper() + sentence[1:]


def _write(row, says, die):
    """Write one description: a sentence on the product, and shop prose before or after it."""
    sentence = _sentence(row, says, die)
    sentences, n_words = [sentence], sentence.count(" ") + 1
    prose = list(_prose(types()[row[0]].family))
    least = 10 + die() % 12
    for _ in range(4):
        if n_words >= least:
            break
        line = _expand(prose.pop(die() % len(prose)), die)
        more = line.count(" ") + 1
        if n_words + more <= 25:
            sentences.insert(_pick((0, len(sentences), len(sentences)), die), line)
            n_words += more
    return " ".join(sentences)
