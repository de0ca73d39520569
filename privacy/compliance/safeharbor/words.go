package safeharbor

// word is what a word of the vocabulary says about the number behind it.
type word uint8

const (
	none word = iota

	// A number directly behind these is one of theirs.
	wordMRN
	wordPlan
	wordAccount
	wordLicence
	wordVehicle
	wordPlate
	wordDevice
	wordSSN
	wordZIP
	wordAge

	// These also say something about numbers some words further on.
	wordPhone
	wordFax
	wordDate

	// Parts of phrases.
	wordMedical
	wordSocial
	wordNumber // "number" and its like, which make sure that the word before meant one
	wordIs

	words = iota
)

// vocabulary returns what a lower-case word says, and whether it needs no other word to say it.
func vocabulary(low []byte) (w word, strong bool) {
	switch string(low) {
	case "mrn", "mrns", "medrec", "patientid", "patientno", "patientnumber", "chartno", "chartnumber", "medicalrecordnumber", "medicalrecord":
		return wordMRN, true
	case "patient", "hospital", "chart", "encounter":
		return wordMRN, false
	case "mbi", "hicn", "memberid", "policyno", "policynumber", "policyid", "subscriberid", "beneficiaryid", "healthplanid", "medicareid", "medicaidid", "insuranceid":
		return wordPlan, true
	case "plan", "policy", "member", "subscriber", "beneficiary", "insurance", "insured", "medicare", "medicaid", "group":
		return wordPlan, false
	case "iban", "acct", "accountno", "accountnumber", "accountid", "acctno", "cardnumber", "cardno", "creditcard", "pan":
		return wordAccount, true
	case "account", "card", "routing", "accounts":
		return wordAccount, false
	case "dln", "npi", "licenseno", "licenceno", "licensenumber", "licencenumber", "driverslicense", "driverlicense", "certificateno", "certificatenumber":
		return wordLicence, true
	case "license", "licence", "certificate", "cert", "dl", "dea", "permit", "passport":
		return wordLicence, false
	case "vin", "vehicleid":
		return wordVehicle, true
	case "vehicle", "chassis":
		return wordVehicle, false
	case "licenseplate", "licenceplate", "plateno", "platenumber", "numberplate":
		return wordPlate, true
	case "plate", "plates", "registration":
		return wordPlate, false
	case "imei", "imeisv", "serialno", "serialnumber", "deviceid", "deviceserial", "udi", "macaddress":
		return wordDevice, true
	case "serial", "device", "sn", "pacemaker", "implant":
		return wordDevice, false
	case "ssn", "ssns", "socialsecurity", "socialsecuritynumber", "itin", "tin":
		return wordSSN, true
	case "zip", "zipcode", "zips", "postal", "postalcode", "postcode", "zcta":
		return wordZIP, true
	case "age", "aged", "ages", "ageyears", "patientage":
		return wordAge, true
	case "phone", "tel", "telephone", "mobile", "cell", "cellphone", "call", "called", "dial", "ph", "phones", "phonenumber", "mobilenumber", "telephonenumber", "cellnumber":
		return wordPhone, true
	case "fax", "facsimile", "telefax", "faxnumber", "faxno":
		return wordFax, true
	case "dob", "born", "birth", "birthday", "birthdate", "dateofbirth", "admitted", "admission", "admissiondate", "discharged", "discharge", "dischargedate",
		"deceased", "died", "death", "dod", "date", "dates", "dated", "visit", "visitdate", "encounterdate":
		return wordDate, true
	case "medical":
		return wordMedical, false
	case "social":
		return wordSocial, false
	case "number", "numbers", "no", "nos", "nr", "num", "nbr", "id", "ids", "identifier", "code", "codes":
		return wordNumber, false
	case "is", "was":
		return wordIs, false
	}
	return none, false
}

const (
	maxWord = 20 // letters of the longest word of the vocabulary
	maxGap  = 6  // characters between a word and its number
)

// forget notes a token that is no word of the vocabulary.
func (st *state) forget() {
	st.last, st.strong, st.phrase, st.us = none, false, none, 0
}

// lower returns the letters of a token in lower case in buf, or nil if there are too many.
func (s *Scanner) lower(i, j int, buf *[maxWord]byte) []byte {
	if j-i > maxWord {
		return nil
	}
	for k := i; k < j; k++ {
		buf[k-i] = s.buf.b[k] | 0x20
	}
	return buf[:j-i]
}

// word looks at a token of letters alone and returns the place to go on from.
func (s *Scanner) word(i, j int) int {
	var buf [maxWord]byte
	low := s.lower(i, j, &buf)
	st := &s.state
	if j-i >= 3 && j-i <= 9 {
		if m := month(low); m > 0 {
			if end := s.monthFirst(i, j); end > 0 {
				st.forget()
				return end
			}
		}
		switch string(low) {
		case "www":
			if s.is(j, ".") && s.alnumAt(j+1) && !s.is(i-1, "/") {
				s.found(URL, i)
			}
		case "ninety", "hundred":
			if end := s.ageInWords(i, j); end > 0 {
				st.forget()
				return end
			}
		}
	}
	w, strong := vocabulary(low)
	if w == none && len(low) == 1 && low[0] == 'n' && s.is(i-1, "/") && s.is(i-2, "sS") && !s.alnumAt(i-3) {
		w = wordDevice // S/N
	}
	if w == none && len(low) == 2 && s.is(j, "#") {
		switch string(low) {
		case "mr":
			w = wordMRN
		case "ss":
			w = wordSSN
		}
	}
	if w == none && string(low) == "mac" && !s.is(j, "-") {
		w = wordDevice
	}
	end := s.base + int64(j)
	gap := s.base + int64(i) - st.lastEnd
	if st.last != none && s.is(j, "-/") && s.alnumAt(j+1) { // SN-123
		if end := s.called(i); end > 0 {
			st.forget()
			return end
		}
	}
	switch {
	case w == wordNumber && st.last != none && gap <= maxGap:
		st.lastEnd, st.strong = end, true
		return j
	case w == wordIs && st.last != none && gap <= maxGap:
		st.lastEnd = end
		return j
	case st.phrase == wordMedical && (string(low) == "record" || string(low) == "records" || string(low) == "rec") && gap <= maxGap:
		w, strong = wordMRN, true
	case st.last == wordLicence && w == wordPlate && gap <= maxGap:
		strong = true
	case st.phrase == wordSocial && (string(low) == "security" || string(low) == "sec") && gap <= maxGap:
		w, strong = wordSSN, true
	}
	switch w {
	case none, wordNumber, wordIs:
		if st.last != none { // a number may start with letters
			if end := s.called(i); end > 0 {
				st.forget()
				return end
			}
		}
		st.forget()
		if j-i == 2 && usState(s.buf.b[i], s.buf.b[i+1]) {
			st.us = end
		}
	case wordMedical, wordSocial:
		st.forget()
		st.phrase, st.lastEnd = w, end
	default:
		st.forget()
		st.last, st.strong, st.lastEnd = w, strong, end
		if j-i == 2 && usState(s.buf.b[i], s.buf.b[i+1]) {
			st.us = end
		}
		st.near[w] = end
	}
	return j
}

// glued looks at the letters in front of the first digit of a token, and reports whether they call it something.
func (s *Scanner) glued(i, first int) bool {
	var buf [maxWord]byte
	w, strong := vocabulary(s.lower(i, first, &buf))
	if !strong {
		return false
	}
	st := &s.state
	st.last, st.strong, st.lastEnd = w, true, s.base+int64(first)
	st.near[w] = st.lastEnd
	return true
}

// after reports whether a word of the class ended at most distance characters before b[i].
func (s *Scanner) after(w word, i, distance int) bool {
	end := s.state.near[w]
	return end != 0 && s.base+int64(i)-end <= int64(distance)
}

// adjacent returns the word right in front of b[i], with nothing between but punctuation, and whether it means a number for sure.
func (s *Scanner) adjacent(i int) (w word, strong bool) {
	st := &s.state
	gap := s.base + int64(i) - st.lastEnd
	if st.last == none || gap > maxGap || gap < 0 {
		return none, false
	}
	strong = st.strong
	lines := false // between the last of ":#=" and the number
	for k := i - 1; k >= max(0, i-int(gap)); k-- {
		switch c := s.buf.b[k]; c {
		case ':', '#', '=':
			strong, lines = true, false
		case '\n':
			lines = true
		case '!', '?', ';':
			return none, false
		}
	}
	if lines {
		return none, false
	}
	if gap > 0 && s.base+int64(i) < gap { // the name of a column, which a colon follows
		strong = true
	}
	return st.last, strong
}

// called looks for a number that the word in front gives its kind, at b[i], and returns its end or -1.
func (s *Scanner) called(i int) int {
	w, strong := s.adjacent(i)
	var kind Kind
	switch w {
	case wordMRN:
		kind = MRN
	case wordPlan:
		kind = Plan
	case wordAccount:
		kind = Account
	case wordLicence:
		kind = Licence
	case wordVehicle, wordPlate:
		kind = Vehicle
	case wordDevice:
		kind = Device
	default:
		return -1
	}
	b := s.buf.b
	digits, letters, hex, j := 0, 0, 0, i
	for j < len(b) && j-i < 40 {
		if isHex(b[j]) {
			hex++
		}
		switch {
		case isDigit(b[j]):
			digits++
		case isLetter(b[j]):
			letters++
		case s.is(j, "-/.") && s.alnumAt(j+1) && j > i:
		case b[j] == ' ' && s.digitAt(j-1) && s.digitAt(j+1): // 12 34 56
		default:
			goto out
		}
		j++
	}
out:
	if s.is(j, "@") || s.is(j, ":") && s.is(j+1, "/") {
		return -1
	}
	enough := digits >= 4 && (strong || digits >= 7)
	switch {
	case w == wordMRN && digits == 3 && letters == 0:
		enough = s.state.strong
	case w == wordDevice && strong && hex == 12 && j == i+12: // a MAC address
		enough = true
	case w == wordPlate:
		enough = strong && digits >= 1 && digits+letters >= 4 && digits+letters <= 9
	case digits == 4 && letters == 0 && (b[i] == '1' && b[i+1] >= '8' || b[i] == '2' && b[i+1] <= '1') && j == i+4: // a year
		enough = false
	}
	if !enough {
		return -1
	}
	s.found(kind, i)
	return j
}

// usState reports whether two capital letters are the abbreviation of a state or territory of the US.
func usState(a, b byte) bool {
	const all = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR VI GU AS MP"
	for i := 0; i < len(all) && a <= 'Z' && b <= 'Z'; i += 3 {
		if all[i] == a && all[i+1] == b {
			return true
		}
	}
	return false
}
