package company

// culture has the names of people of one origin, each with its form in ASCII, for addresses and logins.
type culture struct {
	given, family []string // native and ASCII alternate
	familyFirst   bool
	phone         func(n uint64) string
	places        []int // indexes of offices
}

// cultures share no family name in ASCII, so people of different cultures never have the same address.
var cultures = []culture{
	{
		given:  []string{"Olivia", "olivia", "James", "james", "Grace", "grace", "Samuel", "samuel", "Harriet", "harriet", "Owen", "owen", "Ruth", "ruth", "Desmond", "desmond", "Zoë", "zoe", "Beau", "beau", "Mary-Jane", "mary-jane", "Theo", "theo"},
		family: []string{"Whitaker", "whitaker", "O’Brien", "obrien", "Okafor", "okafor", "McAllister", "mcallister", "St. John", "stjohn", "Harrow", "harrow", "Lindqvist-Ames", "lindqvist-ames", "D'Arcy", "darcy", "Fairweather", "fairweather", "Boateng", "boateng", "Wren", "wren", "Castellan", "castellan", "Holloway", "holloway"},
		phone:  fictional("+1 (512) 555-01%02d", "+44 20 7946 0%03d"), places: []int{0, 1, 2},
	},
	{
		given:  []string{"Jürgen", "juergen", "Käthe", "kaethe", "Björn", "bjoern", "Mareike", "mareike", "Götz", "goetz", "Anneliese", "anneliese", "Lutz", "lutz", "Silke", "silke", "Uwe", "uwe", "Heike", "heike", "Sören", "soeren"},
		family: []string{"Strauß", "strauss", "Müller", "mueller", "von der Heide", "vonderheide", "Weißmann", "weissmann", "Krüger", "krueger", "Schönfeld", "schoenfeld", "Groß", "gross", "Baumgärtner", "baumgaertner", "Voß", "voss", "Jäger", "jaeger", "Zöllner", "zoellner", "Straßburger", "strassburger", "Ackermann", "ackermann"},
		phone:  fictional("030 23125 %03d", "+49 30 23125 %03d"), places: []int{3},
	},
	{
		given:  []string{"Hélène", "helene", "Jean-François", "jean-francois", "Chloé", "chloe", "Loïc", "loic", "Aurélie", "aurelie", "Thibaud", "thibaud", "Inès", "ines", "Gaël", "gael", "Océane", "oceane", "Rémi", "remi"},
		family: []string{"Lefèvre", "lefevre", "Dupré", "dupre", "d’Estaing", "destaing", "Beauséjour", "beausejour", "Çelan", "celan", "Noël", "noel", "Guérin", "guerin", "L’Hôpital", "lhopital", "Maître", "maitre", "Œuvrard", "oeuvrard", "Poincaré", "poincare"},
		phone:  fictional("+33 1 99 00 %02d 17", "01 99 00 %02d 42"), places: []int{4},
	},
	{
		given:  []string{"María José", "mariajose", "Íñigo", "inigo", "Begoña", "begona", "Andrés", "andres", "Lucía", "lucia", "Ángel", "angel", "Concepción", "concepcion", "Joaquín", "joaquin", "Núria", "nuria"},
		family: []string{"García Márquez", "garciamarquez", "Ibáñez Peña", "ibanezpena", "Núñez Vela", "nunezvela", "del Río Santos", "delriosantos", "Muñoz Ortega", "munozortega", "Cañizares Gil", "canizaresgil", "López de Ayala", "lopezdeayala", "Zúñiga Roca", "zunigaroca", "Brañas Ferrer", "branasferrer", "Güell Soler", "guellsoler"},
		phone:  fictional("+34 910 55 50 %02d", "+52 55 5550 01%02d"), places: []int{5},
	},
	{
		given:  []string{"Łukasz", "lukasz", "Małgorzata", "malgorzata", "Grażyna", "grazyna", "Świętosław", "swietoslaw", "Żaneta", "zaneta", "Wojciech", "wojciech", "Agnieszka", "agnieszka", "Paweł", "pawel"},
		family: []string{"Wójcik", "wojcik", "Dąbrowska", "dabrowska", "Żółkiewski", "zolkiewski", "Śliwińska", "sliwinska", "Brzęczyszczykiewicz", "brzeczyszczykiewicz", "Źrebiec", "zrebiec", "Łącka", "lacka", "Gęsior", "gesior", "Ćwik", "cwik"},
		phone:  fictional("+48 22 555 01 %02d", "22 555 02 %02d"), places: []int{6},
	},
	{
		given:  []string{"Jiří", "jiri", "Bedřich", "bedrich", "Zdeňka", "zdenka", "Ludmila", "ludmila", "Ondřej", "ondrej", "Věra", "vera", "Růžena", "ruzena"},
		family: []string{"Dvořák", "dvorak", "Novotný", "novotny", "Svobodová", "svobodova", "Procházka", "prochazka", "Kučera", "kucera", "Ševčík", "sevcik", "Žižka", "zizka", "Říha", "riha", "Čapek", "capek"},
		phone:  fictional("+420 225 550 1%02d", "225 550 2%02d"), places: []int{6},
	},
	{
		given:  []string{"İbrahim", "ibrahim", "Ayşe", "ayse", "Çağla", "cagla", "Işıl", "isil", "Gökhan", "gokhan", "Şule", "sule", "Oğuz", "oguz", "İpek", "ipek"},
		family: []string{"Yıldırım", "yildirim", "Ünal", "unal", "Kılıç", "kilic", "İnönü", "inonu", "Şahin", "sahin", "Çelik", "celik", "Güneş", "gunes", "Işık", "isik", "Öztürk", "ozturk"},
		phone:  fictional("+90 212 555 01 %02d", "0212 555 02 %02d"), places: []int{7},
	},
	{
		given:  []string{"Đặng Hải", "danghai", "Thị Hương", "thihuong", "Quốc Bảo", "quocbao", "Ngọc Ánh", "ngocanh", "Văn Đức", "vanduc", "Mỹ Linh", "mylinh"},
		family: []string{"Nguyễn", "nguyen", "Trần", "tran", "Phạm", "pham", "Huỳnh", "huynh", "Võ", "vo", "Đỗ", "do", "Hồ", "ho", "Lý", "ly"}, familyFirst: true,
		phone: fictional("+84 24 5550 01%02d", "+84 24 5550 02%02d"), places: []int{8},
	},
	{
		given:  []string{"Þórdís", "thordis", "Sigríður", "sigridur", "Ásgeir", "asgeir", "Hrafnkell", "hrafnkell", "Guðrún", "gudrun", "Kjartan", "kjartan"},
		family: []string{"Jónsdóttir", "jonsdottir", "Þorsteinsson", "thorsteinsson", "Ævarsson", "aevarsson", "Björnsdóttir", "bjornsdottir", "Sigurðsson", "sigurdsson", "Ólafsdóttir", "olafsdottir"},
		phone:  fictional("+354 555 01%02d", "555 02%02d"), places: []int{3},
	},
	{
		given:  []string{"Иван", "ivan", "Ольга", "olga", "Владимир", "vladimir", "Ксения", "ksenia", "Юрий", "yuri", "Наталья", "natalia", "Пётр", "pyotr", "Дарья", "daria"},
		family: []string{"Щербаков", "shcherbakov", "Жукова", "zhukova", "Воробьёв", "vorobyov", "Цветаева", "tsvetaeva", "Шевченко", "shevchenko", "Ильин", "ilyin", "Эфрон", "efron", "Королёва", "korolyova"},
		phone:  fictional("+359 2 555 01%02d", "+359 2 555 02%02d"), places: []int{6},
	},
	{
		given:  []string{"Γιώργος", "giorgos", "Ελένη", "eleni", "Νίκος", "nikos", "Ανδρέας", "andreas", "Χρυσούλα", "chrysoula", "Θωμάς", "thomas", "Ευδοκία", "evdokia"},
		family: []string{"Παπαδόπουλος", "papadopoulos", "Όμηρος", "omiros", "Κωνσταντίνου", "konstantinou", "Ξενάκης", "xenakis", "Ωνάσης", "onasis", "Ψαρρός", "psarros", "Βλάχος", "vlachos", "Όθωνος", "othonos"},
		phone:  fictional("+30 21 0555 01%02d", "+30 21 0555 02%02d"), places: []int{7},
	},
	{
		given:  []string{"伟", "wei", "秀英", "xiuying", "建国", "jianguo", "静", "jing", "晓明", "xiaoming", "丽华", "lihua", "子涵", "zihan"},
		family: []string{"王", "wang", "李", "li", "张", "zhang", "欧阳", "ouyang", "陈", "chen", "赵", "zhao", "诸葛", "zhuge", "黄", "huang"}, familyFirst: true,
		phone: fictional("+86 10 5550 01%02d", "010-5550-02%02d"), places: []int{9},
	},
	{
		given:  []string{"さくら", "sakura", "健太", "kenta", "結衣", "yui", "翔太", "shota", "花子", "hanako", "大輔", "daisuke"},
		family: []string{"佐藤", "sato", "鈴木", "suzuki", "高橋", "takahashi", "渡邊", "watanabe", "山田", "yamada", "小林", "kobayashi", "齋藤", "saito"}, familyFirst: true,
		phone: fictional("+81 3 5550 01%02d", "03-5550-02%02d"), places: []int{9},
	},
	{
		given:  []string{"민준", "minjun", "서연", "seoyeon", "지훈", "jihun", "하은", "haeun", "도윤", "doyun", "수빈", "subin"},
		family: []string{"김", "kim", "박", "park", "최", "choi", "정", "jeong", "강", "kang", "남궁", "namgung"}, familyFirst: true,
		phone: fictional("+82 2 5550 01%02d", "02-5550-02%02d"), places: []int{9},
	},
	{
		given:  []string{"محمد", "mohammed", "فاطمة", "fatima", "يوسف", "yusuf", "ليلى", "layla", "عمر", "omar", "نور", "nour"},
		family: []string{"الحسن", "alhassan", "المصري", "almasri", "بن سعيد", "bensaid", "الخطيب", "alkhatib", "منصور", "mansour", "حداد", "haddad"},
		phone:  fictional("+971 4 555 01%02d", "+20 2 5550 02%02d"), places: []int{10},
	},
	{
		given:  []string{"דוד", "david", "נועה", "noa", "יונתן", "yonatan", "שירה", "shira", "איתן", "eitan"},
		family: []string{"כהן", "cohen", "לוי", "levi", "מזרחי", "mizrahi", "פרידמן", "friedman", "אשכנזי", "ashkenazi"},
		phone:  fictional("+972 3 555 01%02d", "03-555-02%02d"), places: []int{10},
	},
	{
		given:  []string{"आरव", "aarav", "प्रिया", "priya", "विक्रम", "vikram", "अनन्या", "ananya", "रोहन", "rohan", "कविता", "kavita"},
		family: []string{"शर्मा", "sharma", "वर्मा", "verma", "चतुर्वेदी", "chaturvedi", "अग्रवाल", "agrawal", "मिश्रा", "mishra", "त्रिपाठी", "tripathi"},
		phone:  fictional("+91 11 5550 01%02d", "011-5550-02%02d"), places: []int{11},
	},
	{
		given:  []string{"สมชาย", "somchai", "มาลี", "malee", "อนุชา", "anucha", "กนกวรรณ", "kanokwan", "ธนพล", "thanapon"},
		family: []string{"ศรีสุข", "srisuk", "แสงทอง", "saengthong", "วงศ์ใหญ่", "wongyai", "จันทร์เพ็ญ", "chanphen", "รัตนกุล", "rattanakul"},
		phone:  fictional("+66 2 555 01%02d", "02-555-02%02d"), places: []int{8},
	},
}

type office struct{ city, country, street string }

var offices = []office{
	{"Austin", "US", "500 Congress Ave"}, {"London", "GB", "1 Long Lane"}, {"Dublin", "IE", "12 Fleet St"}, {"Berlin", "DE", "Große Straße 7"},
	{"Paris", "FR", "3 rue de l’Hôtel"}, {"Barcelona", "ES", "Carrer Gran, 9"}, {"Kraków", "PL", "ul. Długa 4"}, {"Istanbul", "TR", "Çınar Sk. 2"},
	{"Hanoi", "VN", "18 Phố Huế"}, {"Tokyo", "JP", "千代田 1-1"}, {"Dubai", "AE", "Tower 5"}, {"Bengaluru", "IN", "22 MG Road"},
}

// department is a part of the company. The first title is that of its head.
type department struct {
	name, costCenter string
	titles           []string
	code             bool // its people use the code host
}

var departments = []department{
	{"Engineering", "CC-1000", []string{"VP Engineering", "Engineering Manager", "Software Engineer", "Senior Software Engineer", "Site Reliability Engineer", "Data Engineer"}, true},
	{"Sales", "CC-2000", []string{"VP Sales", "Sales Manager", "Account Executive", "Sales Engineer", "Account Executive, \"Enterprise\""}, false},
	{"Support", "CC-3000", []string{"VP Support", "Support Manager", "Support Engineer", "Customer Success Partner"}, true},
	{"Operations", "CC-4000", []string{"VP Operations", "Operations Manager", "Operations Analyst", "Facilities Coordinator"}, false},
	{"Finance", "CC-5000", []string{"Chief Financial Officer", "Finance Manager", "Accountant", "Controller, Accounts Payable"}, false},
	{"People", "CC-6000", []string{"Chief People Officer", "People Manager", "Recruiter", "People Partner"}, false},
	{"Marketing", "CC-7000", []string{"VP Marketing", "Marketing Manager", "Content Designer", "Product Marketer"}, false},
	{"Legal", "CC-8000", []string{"General Counsel", "Legal Manager", "Counsel", "Paralegal"}, false},
}
