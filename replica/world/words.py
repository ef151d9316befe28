"""The words names, titles and plots are made of."""

# ruff: noqa: SIM905 - a list of quoted words is five times as long and no clearer

GIVEN = (
    "Ada Alma Anton Arjun Aya Bela Bruno Carla Chidi Clara Dario Dora Edda Elio Emil Esme Farah "
    "Felix Greta Hana Hugo Ida Imre Ines Ivo Jana Jonas Juno Kaito Kira Lars Leila Lena Luca Mara "
    "Marek Mei Milo Mina Nadia Nils Noor Oona Oskar Pavel Petra Quinn Rafa Rosa Sami Selma Signe "
    "Tariq Tess Timo Una Vera Viktor Wanda Yara Yusuf Zoe"
).split()
FAMILY = (
    "Abara Almqvist Anders Bakker Banerjee Bellini Berg Calder Castellan Cho Dacosta Delmar Duval "
    "Ekström Falk Ferrante Fontaine Gallo Greve Hale Halloran Hasegawa Iwata Jensen Kaplan Keller "
    "Kovac Laurent Lindqvist Lowell Marchetti Mbeki Menon Moreau Nakamura Novak Okafor Olsen "
    "Orlova Park Petit Quist Ramires Rao Reyes Rossi Sandoval Seo Solberg Strand Tanaka Toth "
    "Uribe Vance Varga Vogel Wexler Winther Yamada Yoon Zeller"
).split()
QUALITIES = (
    "Amber Bitter Blind Borrowed Bright Broken Buried Cold Crooked Distant Electric Empty Endless "
    "Falling Final Gentle Gilded Glass Hidden Hollow Hungry Idle Iron Last Late Little Lonely Lost "
    "Lunar Midnight Narrow Northern Odd Paper Patient Pale Quiet Restless Rusted Salt Scarlet "
    "Second Secret Silent Silver Sleeping Slow Small Southern Stolen Stubborn Sudden Tender Torn "
    "Velvet Wandering White Wild Winter Wooden"
).split()
THINGS = (
    "Anchor Arcade Archive Atlas Autumn Beacon Bridge Canal Carnival Cartographer Circus Clockwork "
    "Comet Compass Courier Cradle Crossing Dialogue Divide Echo Embers Empire Engine Envoy Ferry "
    "Fever Garden Ghost Glacier Harbor Harvest Horizon Hotel House Inventor Island Kingdom Lantern "
    "Ledge Letter Lighthouse Machine Mariner Meridian Mirror Mountain Orbit Orchard Orchestra "
    "Paradox Parade Passage Pilot Promise Railway Reckoning River Saints Shadow Shore Signal Song "
    "Station Storm Summer Theatre Tide Tower Verdict Voyage Waltz Winter Witness"
).split()
HEROES = (
    "retired cartographer|night-shift nurse|disgraced pilot|young violinist|small-town locksmith|"
    "reluctant heir|stubborn beekeeper|former spy|ferry captain|forgetful inventor|court "
    "interpreter|radio astronomer|pair of estranged siblings|runaway cook"
).split("|")
TASKS = (
    "find a missing brother|win back a stolen song|cross a frozen border|guard a city's last "
    "garden|answer a signal from the deep|forge one perfect painting|bring a ghost train home|"
    "teach a machine to lie|hold a family dinner together|expose a quiet conspiracy|outrun a "
    "rumour|save a theatre from the sea"
).split("|")
DEADLINES = (
    "before the first snow|while the whole town watches|with nobody left to trust|before the old "
    "king wakes|on the longest night of the year|and learns what silence costs|as the lights go "
    "out one by one|against every good advice"
).split("|")
COMPANIES = (
    "Amberlight Pictures|Bluegate Films|Cinder & Oak|Dovetail Features|Eastwharf Studios|Fathom "
    "Entertainment|Greenlamp|Harrow Hill Productions|Ironleaf|Juniper Row|Kestrel International|"
    "Longacre Media"
).split("|")
KEYWORDS = (
    "revenge friendship heist memory betrayal island robot wedding trial road-trip ghost war chess "
    "flood twins kidnapping carnival exile inheritance spaceship detective blackout music winter "
    "election monastery submarine forgery boxing desert"
).split()
