// Package checkdigit tells numbers of cards and accounts from other numbers, by their check digits and by who gives them out.
package checkdigit

// Luhn checks the last of some digits (ISO/IEC 7812-1, annex B). Digits are '0' to '9', or 0 to 9.
func Luhn(digits []byte) bool {
	sum := 0
	for i, c := range digits {
		v := int(c & 0xf)
		if (len(digits)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// Card reports whether 13 to 19 digits begin as the large payment networks let numbers of that length begin (ISO/IEC 7812), and
// end in the digit that belongs there. Digits are '0' to '9', or 0 to 9.
func Card(digits []byte) bool {
	n := len(digits)
	if n < 13 || n > 19 {
		return false
	}
	head := 0
	for _, c := range digits[:4] {
		head = 10*head + int(c&0xf)
	}
	given := false
	switch two := head / 100; {
	case head/1000 == 4: // Visa
		given = n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, head >= 2221 && head <= 2720: // Mastercard
		given = n == 16
	case two == 34, two == 37: // American Express
		given = n == 15
	case head >= 3000 && head <= 3059, two == 36, two == 38, two == 39: // Diners Club
		given = n == 14 || n == 16
	case head >= 3528 && head <= 3589, head == 6011, head >= 6440 && head <= 6499, two == 65, two == 62: // JCB, Discover, UnionPay
		given = n >= 16
	}
	return given && Luhn(digits)
}

// IBAN checks the length and the check digits of an International Bank Account Number without spaces (ISO 13616): with its first
// four characters moved to the end and letters read as 10 to 35 it is 1 modulo 97 (ISO 7064).
func IBAN(number []byte) bool {
	if len(number) < 4 || len(number) != IBANLength(number[0], number[1]) {
		return false
	}
	rest := 0
	for i := range number {
		switch c := number[(i+4)%len(number)]; {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			rest = (rest*100 + int(c|0x20-'a') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}

// IBANLength is the length of the account numbers of the country whose code has these two letters, in any case, or 0 if it has
// none (the register of ISO 13616).
func IBANLength(a, b byte) int {
	switch string([]byte{a &^ 0x20, b &^ 0x20}) {
	case "NO":
		return 15
	case "BE":
		return 16
	case "DK", "FI", "FK", "FO", "GL", "NL", "SD":
		return 18
	case "MK", "SI":
		return 19
	case "AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK":
		return 20
	case "CH", "CR", "HR", "LI", "LV":
		return 21
	case "BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA":
		return 22
	case "AE", "GI", "IL", "IQ", "OM", "SO", "TL":
		return 23
	case "AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG":
		return 24
	case "LY", "PT", "ST":
		return 25
	case "IS", "TR":
		return 26
	case "BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM":
		return 27
	case "AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV":
		return 28
	case "BR", "EG", "PS", "QA", "UA":
		return 29
	case "JO", "KW", "MU", "YE":
		return 30
	case "MT", "SC":
		return 31
	case "LC":
		return 32
	case "RU":
		return 33
	}
	return 0
}
