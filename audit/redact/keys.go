package redact

import (
	"fmt"
	"strings"
)

const (
	maxKey  = 64 // bytes of a name that are looked at, from its end
	looseAt = 6  // letters of a key from which it is found without a word boundary in front, as in PGPASSWORD
)

// defaultKeys are the names whose values are secrets, as words joined with '-'.
func defaultKeys() []string {
	return []string{
		"password", "passwords", "passwd", "pwd", "passphrase", "passcode", "pincode", "db-pass", "user-pass", "smtp-pass",
		"root-pass", "admin-pass", "redis-pass", "mysql-pass",
		"secret", "secrets", "client-secret", "token", "jwt", "bearer", "otp", "totp",
		"api-key", "api-keys", "access-key", "access-keys", "secret-key", "secret-access-key", "private-key", "signing-key",
		"encryption-key", "master-key", "auth-key", "account-key", "shared-access-key", "license-key", "hmac-key", "ssh-key",
		"host-key", "service-key", "session-key", "key-material", "credential", "credentials", "connection-string", "conn-str", "dsn",
		"authorization", "proxy-authorization", "basic-auth", "http-auth", "cookie", "cookies", "set-cookie",
		"session-id", "csrf", "xsrf", "x-amz-signature", "noise-seed",
		"ssn", "social-security-number", "card-number", "credit-card", "cvv", "cvc", "iban",
	}
}

// defaultExcept are names that end like a key and hold none: the special tokens of a tokenizer, and the mark of a page.
func defaultExcept() []string {
	var list []string
	for _, word := range strings.Fields("pad eos bos unk mask sep cls special begin end start stop image audio video next num max min " +
		"new per first last prev previous current added extra decoder prompt target input output") {
		list = append(list, word+"-token")
	}
	return list
}

// keySet finds names that end in one of its keys.
type keySet struct {
	kinds   map[string]Kind // of the joined words, lower case; "" for an exception
	longest int
	hashes  [1 << 12]bool  // of the joined words
	tails   [1 << 10]uint8 // what may end with a pair of letters
}

func newKeySet(keys, except []string) (keySet, error) {
	ks := keySet{kinds: make(map[string]Kind)}
	add := func(name string, secret bool) error {
		var buf [maxKey]byte
		joined := string(join(buf[:0], name))
		if joined == "" || len(name) > maxKey {
			return fmt.Errorf("redact: key %q is not a name of at most %d bytes with a letter in it", name, maxKey)
		}
		kind := Kind("")
		if secret {
			if kind = Kind(words(name)); !validKind(string(kind)) {
				return fmt.Errorf("redact: key %q has characters other than letters, digits, '_', '-', '.' and space", name)
			}
		}
		ks.kinds[joined] = kind
		h := uint32(0)
		for i := len(joined) - 1; i >= 0; i-- {
			h = hash(h, joined[i])
		}
		ks.hashes[h>>20] = true
		ks.longest = max(ks.longest, len(joined))
		ks.addTail(joined, keyTail)
		return nil
	}
	for _, name := range keys {
		if err := add(name, true); err != nil {
			return ks, err
		}
	}
	for _, name := range except {
		if err := add(name, false); err != nil {
			return ks, err
		}
	}
	for _, suffix := range suffixes {
		ks.addTail(suffix, suffixTail)
	}
	return ks, nil
}

const (
	keyTail    = 1 << iota // a key
	suffixTail             // a suffix
)

// addTail notes the last two letters of a word, or of one with a number behind it.
func (ks *keySet) addTail(joined string, what uint8) {
	for _, w := range []string{joined, strings.TrimRight(joined, "0123456789")} {
		if len(w) > 1 {
			ks.tails[tail(w[len(w)-2], w[len(w)-1])] |= what
		}
	}
}

func tail(a, b byte) int { return int(a&31)<<5 | int(b&31) }

// hash goes on with the next byte, from the last to the first.
func hash(h uint32, c byte) uint32 { return (h + uint32(c)) * 2654435761 }

// ending returns what a name that ends in front of s[end] may end in, and where the last of its letters is. It is only a
// quick test.
func (ks *keySet) ending(s string, end int) (what uint8, letters int) {
	for end > 0 && !isLetter(s[end-1]) {
		if !isNameByte(s[end-1]) {
			return 0, 0
		}
		end--
	}
	switch {
	case end == 0:
		return 0, 0
	case end == 1 || !isAlnum(s[end-2]):
		return keyTail | suffixTail, end
	}
	return ks.tails[tail(s[end-2], s[end-1])], end
}

// suffixes are words after a key that leave it one.
var suffixes = [...]string{"value", "hash", "plaintext", "confirm", "confirmation", "base64", "b64", "raw", "header"}

// match returns the kind of a name that ends in a key: at a word boundary, or for the longer keys anywhere. What stands
// after the key may be a number or one of the suffixes. The longest key wins, so that an exception can take back a shorter
// key.
func (ks *keySet) match(name string) (Kind, bool) {
	if len(name) > maxKey {
		name = name[len(name)-maxKey:]
	}
	for range 3 { // with a suffix, with a number in front of that, and without
		what, end := ks.ending(name, len(name))
		if what&keyTail != 0 {
			if kind, found := ks.suffix(name); found {
				return kind, kind != ""
			}
			if end < len(name) {
				if kind, found := ks.suffix(name[:end]); found {
					return kind, kind != ""
				}
			}
		}
		if what&suffixTail == 0 {
			break
		}
		cut := lastWord(name[:end])
		if cut == 0 || !isSuffix(name[cut:end]) {
			break
		}
		name = name[:cut]
	}
	return "", false
}

// suffix looks for the longest key, or exception, that name ends with.
func (ks *keySet) suffix(name string) (kind Kind, found bool) {
	var buf [maxKey]byte
	j, h := len(buf), uint32(0)
	for i := len(name) - 1; i >= 0 && len(buf)-j < ks.longest; i-- {
		c := name[i]
		if !isAlnum(c) {
			continue
		}
		j--
		buf[j] = lower(c)
		if h = hash(h, buf[j]); ks.hashes[h>>20] {
			boundary := isBoundary(name, i)
			if k, ok := ks.kinds[string(buf[j:])]; ok && (boundary || k != "" && len(buf)-j >= looseAt) {
				kind, found = k, true
			}
		}
	}
	return kind, found
}

func isSuffix(word string) bool {
	for _, s := range suffixes {
		if len(s) == len(word) && strings.EqualFold(word, s) {
			return true
		}
	}
	return false
}

// isBoundary reports whether a word begins at name[i].
func isBoundary(name string, i int) bool {
	if i == 0 || !isAlnum(name[i-1]) {
		return true
	}
	before, c := name[i-1], name[i]
	if !isUpper(c) {
		return isDigit(before) && !isDigit(c)
	}
	return !isUpper(before) || i+1 < len(name) && isLower(name[i+1])
}

// lastWord returns where the last word of name begins.
func lastWord(name string) int {
	i := len(name)
	for i > 0 {
		i--
		if isBoundary(name, i) {
			return i
		}
	}
	return 0
}

// join appends the letters and digits of name, in lower case.
func join(dst []byte, name string) []byte {
	for i := range len(name) {
		if isAlnum(name[i]) {
			dst = append(dst, lower(name[i]))
		}
	}
	return dst
}

// words returns name in lower case with '-' between its words.
func words(name string) string {
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case !isAlnum(c):
			if c != '_' && c != '-' && c != '.' && c != ' ' {
				return ""
			}
		case isBoundary(name, i) && len(b) > 0:
			b = append(b, '-', lower(c))
		default:
			b = append(b, lower(c))
		}
	}
	return string(b)
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isLetter(c byte) bool { return isUpper(c) || isLower(c) }
func isAlnum(c byte) bool  { return isLetter(c) || isDigit(c) }
func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'
}

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}
