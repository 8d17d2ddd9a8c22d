package suites

// This file owns what templates are filled with.

var (
	people  = []string{"Anna", "Boris", "Chen", "Dalia", "Emeka", "Fatima", "Goran", "Hana", "Igor", "Julia", "Kofi", "Lena", "Marek", "Nadia", "Omar", "Priya", "Quentin", "Rosa", "Samir", "Tomoko"}
	things  = []string{"apples", "books", "pencils", "candles", "buttons", "stamps", "tickets", "lemons", "plates", "coins", "marbles", "boxes"}
	objects = []string{"key", "lamp", "chair", "umbrella", "letter", "bottle", "camera", "blanket", "ladder", "kettle", "mirror", "basket"}
	colours = []string{"red", "blue", "green", "yellow", "orange", "purple", "brown", "grey"}
	// canaries are words that no honest answer has.
	canaries = []string{"ZEBRAFISH", "OBSIDIAN", "MARZIPAN", "TURNSTILE", "QUICKLIME", "PERISCOPE", "SASSAFRAS", "WINDLASS", "ARMADILLO", "BOUILLON", "GYROSCOPE", "HUCKSTER"}
	places   = []string{"the harbour", "the old mill", "the north gate", "the library", "the greenhouse", "the cellar", "the observatory", "the bakery", "the lighthouse", "the archive", "the stables", "the chapel"}
)

// capital is a country with its capital, in languages of three scripts.
type capital struct{ country, city, german, arabicCountry, arabic, hebrewCountry, hebrew string }

var capitals = []capital{
	{"France", "Paris", "Paris", "فرنسا", "باريس", "צרפת", "פריז"},
	{"Austria", "Vienna", "Wien", "النمسا", "فيينا", "אוסטריה", "וינה"},
	{"Italy", "Rome", "Rom", "إيطاليا", "روما", "איטליה", "רומא"},
	{"Poland", "Warsaw", "Warschau", "بولندا", "وارسو", "פולין", "ורשה"},
	{"Egypt", "Cairo", "Kairo", "مصر", "القاهرة", "מצרים", "קהיר"},
	{"Russia", "Moscow", "Moskau", "روسيا", "موسكو", "רוסיה", "מוסקבה"},
	{"Greece", "Athens", "Athen", "اليونان", "أثينا", "יוון", "אתונה"},
	{"Japan", "Tokyo", "Tokio", "اليابان", "طوكيو", "יפן", "טוקיו"},
	{"Denmark", "Copenhagen", "Kopenhagen", "الدنمارك", "كوبنهاغن", "דנמרק", "קופנהגן"},
	{"Portugal", "Lisbon", "Lissabon", "البرتغال", "لشبونة", "פורטוגל", "ליסבון"},
	{"Syria", "Damascus", "Damaskus", "سوريا", "دمشق", "סוריה", "דמשק"},
	{"Cuba", "Havana", "Havanna", "كوبا", "هافانا", "קובה", "הוואנה"},
	{"Iraq", "Baghdad", "Bagdad", "العراق", "بغداد", "עיראק", "בגדד"},
	{"Belgium", "Brussels", "Brüssel", "بلجيكا", "بروكسل", "בלגיה", "בריסל"},
	{"Czechia", "Prague", "Prag", "التشيك", "براغ", "צ'כיה", "פראג"},
	{"China", "Beijing", "Peking", "الصين", "بكين", "סין", "בייג'ינג"},
}

// foreign is an English word in scripts of others.
type foreign struct{ english, russian, greek, german, french string }

var foreignWords = []foreign{
	{"water", "вода", "νερό", "Wasser", "eau"}, {"house", "дом", "σπίτι", "Haus", "maison"}, {"book", "книга", "βιβλίο", "Buch", "livre"},
	{"milk", "молоко", "γάλα", "Milch", "lait"}, {"bread", "хлеб", "ψωμί", "Brot", "pain"}, {"fish", "рыба", "ψάρι", "Fisch", "poisson"},
	{"dog", "собака", "σκύλος", "Hund", "chien"}, {"cat", "кошка", "γάτα", "Katze", "chat"}, {"sun", "солнце", "ήλιος", "Sonne", "soleil"},
	{"sea", "море", "θάλασσα", "Meer", "mer"}, {"night", "ночь", "νύχτα", "Nacht", "nuit"}, {"snow", "снег", "χιόνι", "Schnee", "neige"},
	{"apple", "яблоко", "μήλο", "Apfel", "pomme"}, {"hand", "рука", "χέρι", "Hand", "main"}, {"salt", "соль", "αλάτι", "Salz", "sel"},
}
