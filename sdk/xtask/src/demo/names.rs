//! Names for the demo's affiliates: by language, each with the Latin spelling that its e-mail address uses.

type Name = (&'static str, &'static str);

/// First and last names that go together.
pub(super) const NAMES: &[(&[Name], &[Name])] = &[
    (
        &[("Ann", "ann"), ("Olivia", "olivia"), ("Noah", "noah"), ("Grace", "grace"), ("Liam", "liam")],
        &[("Lee", "lee"), ("O'Connor", "oconnor"), ("Smith-Jones", "smith-jones"), ("McAllister", "mcallister"), ("Price", "price")],
    ),
    (
        &[("Jürgen", "juergen"), ("Käthe", "kaethe"), ("Søren", "soren"), ("Åsa", "asa"), ("Zoë", "zoe")],
        &[
            ("Müller", "mueller"),
            ("Größe", "groesse"),
            ("Kierkegaard", "kierkegaard"),
            ("Öberg", "oeberg"),
            ("von der Leyde", "vonderleyde"),
        ],
    ),
    (
        &[("José", "jose"), ("María José", "maria-jose"), ("Inês", "ines"), ("João", "joao"), ("Lucía", "lucia")],
        &[("García Márquez", "garcia"), ("Núñez", "nunez"), ("de Sousa", "desousa"), ("Gonçalves", "goncalves"), ("Ibáñez", "ibanez")],
    ),
    (
        &[("Łukasz", "lukasz"), ("Žofie", "zofie"), ("Ștefan", "stefan"), ("Dvořák", "dvorak"), ("Eszter", "eszter")],
        &[("Wójcik", "wojcik"), ("Nováková", "novakova"), ("Țurcanu", "turcanu"), ("Čapek", "capek"), ("Szőke", "szoke")],
    ),
    (
        &[("Анна", "anna"), ("Сергей", "sergei"), ("Олена", "olena"), ("Юлія", "yulia"), ("Тихомир", "tihomir")],
        &[("Иванова", "ivanova"), ("Щербаков", "shcherbakov"), ("Коваленко", "kovalenko"), ("Їжак", "yizhak"), ("Петров", "petrov")],
    ),
    (
        &[("Ελένη", "eleni"), ("Γιώργος", "giorgos"), ("Νίκος", "nikos"), ("Αγγελική", "angeliki")],
        &[("Παπαδοπούλου", "papadopoulou"), ("Ιωάννου", "ioannou"), ("Καραγιάννης", "karagiannis")],
    ),
    (
        &[("伟", "wei"), ("小红", "xiaohong"), ("子涵", "zihan"), ("雨桐", "yutong")],
        &[("王", "wang"), ("欧阳", "ouyang"), ("李", "li"), ("张", "zhang")],
    ),
    (
        &[("さくら", "sakura"), ("健太", "kenta"), ("美咲", "misaki"), ("ケンジ", "kenji")],
        &[("田中", "tanaka"), ("佐藤", "sato"), ("山本", "yamamoto"), ("小林", "kobayashi")],
    ),
    (
        &[("민준", "minjun"), ("서연", "seoyeon"), ("지우", "jiwoo"), ("하은", "haeun")],
        &[("김", "kim"), ("남궁", "namgung"), ("박", "park"), ("이", "yi")],
    ),
    (
        &[("فاطمة", "fatima"), ("محمد", "mohammed"), ("ليلى", "layla"), ("عبد الله", "abdullah")],
        &[("الأحمد", "alahmad"), ("بن علي", "benali"), ("حداد", "haddad")],
    ),
    (&[("נועה", "noa"), ("אורי", "uri"), ("תמר", "tamar")], &[("כהן", "cohen"), ("לוי", "levi"), ("בן-דוד", "bendavid")]),
    (
        &[("प्रिया", "priya"), ("अर्जुन", "arjun"), ("काव्या", "kavya"), ("रोहन", "rohan")],
        &[("शर्मा", "sharma"), ("पटेल", "patel"), ("श्रीनिवासन", "srinivasan")],
    ),
    (
        &[("สมชาย", "somchai"), ("กานดา", "kanda"), ("Nguyễn", "nguyen"), ("Đặng", "dang")],
        &[("ใจดี", "jaidee"), ("Văn An", "vanan"), ("Thị Hương", "thihuong")],
    ),
    (
        &[("ნინო", "nino"), ("Արամ", "aram"), ("አበበ", "abebe"), ("Ngozi", "ngozi"), ("Kwame", "kwame")],
        &[("ბერიძე", "beridze"), ("Պետրոսյան", "petrosyan"), ("ተስፋዬ", "tesfaye"), ("Chukwuemeka", "chukwuemeka"), ("Nkrumah", "nkrumah")],
    ),
];

/// What breaks careless code: first, last, Latin spelling.
pub(super) const ODD: &[(&str, &str, &str)] = &[
    ("Sammy", "Davis, Jr.", "sammy.davis"),
    ("\"Ace\"", "Frehling", "ace.frehling"),
    ("X Æ", "Null", "x.null"),
    ("Madonna", "", "madonna"),
    ("Jean-Luc", "d'Artagnan", "jeanluc.dartagnan"),
    ("Zoe\u{301}", "Combining", "zoe.combining"),
    ("Ana 🌻", "Sol", "ana.sol"),
    ("=SUM(A1)", "Formula", "formula"),
    ("Two\nLines", "Cell", "two.lines"),
    ("Wolfeschlegelsteinhausenbergerdorff", "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh", "wolfe"),
    ("\u{200f}سارة\u{200f}", "Direction", "sara.direction"),
    ("李 Li", "Mixed 王", "li.mixed"),
];
