package safeharbor

import "fmt"

// Kind is a kind of identifier, with the letter of 164.514(b)(2)(i) that names it.
type Kind uint8

const (
	ZIP     Kind = iota // (B), of more than three digits, or restricted
	Date                // (C), more precise than the year
	Age                 // (C), above 89
	Phone               // (D)
	Fax                 // (E)
	Email               // (F)
	SSN                 // (G), and individual taxpayer numbers
	MRN                 // (H) medical record number
	Plan                // (I) health plan beneficiary number
	Account             // (J), payment cards and IBANs among them
	Licence             // (K), certificates too
	Vehicle             // (L), plates too
	Device              // (M), IMEI, UDI, MAC address, serial number
	URL                 // (N)
	IP                  // (O)

	kinds = int(IP) + 1
)

func kindNames() [kinds]string {
	return [kinds]string{"zip", "date", "age", "phone", "fax", "email", "ssn", "mrn", "plan", "account", "licence", "vehicle", "device", "url", "ip"}
}

// Kinds returns all kinds.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// String returns the name by which rules of package compliance know the kind, such as "ssn".
func (k Kind) String() string {
	if int(k) >= kinds {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames()[k]
}

// MarshalText returns the name.
func (k Kind) MarshalText() ([]byte, error) {
	if int(k) >= kinds {
		return nil, fmt.Errorf("safeharbor: %v, want one of %v", k, kindNames())
	}
	return []byte(k.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames() {
		if name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("safeharbor: kind %.40q, want one of %v", text, kindNames())
}
