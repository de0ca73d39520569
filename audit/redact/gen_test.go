package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode"

	"github.com/surefoot-ml/surefoot/internal/checkdigit"
)

// sample is a secret of one kind as it may stand in a text.
type sample struct {
	kind   string // of the table; a key's value is "key"
	text   string
	hidden string // what must not be in the output
}

const (
	upperDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	alnums      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	tokens      = alnums + "-_"
	lowerHex    = "0123456789abcdef"
)

func pick[T any](rng *rand.Rand, list ...T) T { return list[rng.IntN(len(list))] }

func letters(rng *rand.Rand, from string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[rng.IntN(len(from))]
	}
	return string(b)
}

// token returns letters with digits and both cases among them.
func token(rng *rand.Rand, n int) string { return "a1B2c3" + letters(rng, alnums, n-6) }

func segment(rng *rand.Rand, v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

func withLuhn(rng *rand.Rand, prefix string, n int) string {
	s := prefix + letters(rng, "0123456789", n-1-len(prefix))
	for d := '0'; d <= '9'; d++ {
		c := []byte(s + string(d))
		for i := range c {
			c[i] -= '0'
		}
		if checkdigit.Luhn(c) {
			return s + string(d)
		}
	}
	panic("no digit fits")
}

func withIBAN(rng *rand.Rand, country string, n int) string {
	rest := letters(rng, "0123456789", n-4)
	number := ""
	for _, c := range rest + country + "00" {
		if unicode.IsLetter(c) {
			number += strconv.Itoa(int(c-'A') + 10)
		} else {
			number += string(c)
		}
	}
	mod := 0
	for _, c := range number {
		mod = (mod*10 + int(c-'0')) % 97
	}
	return fmt.Sprintf("%s%02d%s", country, 98-mod, rest)
}

func grouped(s, sep string, sizes ...int) string {
	var parts []string
	for _, n := range sizes {
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return strings.Join(append(parts, s), sep)
}

// generators make secrets of every kind.
func generators() map[string]func(rng *rand.Rand) sample {
	return map[string]func(rng *rand.Rand) sample{
		"jwt": func(rng *rand.Rand) sample {
			s := segment(rng, map[string]any{"alg": pick(rng, "HS256", "RS256", "none"), "typ": "JWT"}) + "." +
				segment(rng, map[string]any{"sub": letters(rng, alnums, 12), "exp": rng.Int()}) + "." + letters(rng, tokens, rng.IntN(2)*43)
			return sample{text: pick(rng, "got "+s+" back", "cookie jar ("+s+")", s), hidden: strings.TrimSuffix(s, ".")}
		},
		"private-key": func(rng *rand.Rand) sample {
			if rng.IntN(6) == 0 {
				s := "AGE-SECRET-KEY-1" + letters(rng, upperDigits, 58)
				return sample{text: "identity " + s, hidden: s}
			}
			label := pick(rng, "RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED ") + "PRIVATE KEY"
			nl := pick(rng, "\n", `\n`, "\r\n", " ")
			bodyText := letters(rng, alnums+"+/", 64)
			s := "-----BEGIN " + label + "-----" + nl + bodyText + nl + letters(rng, alnums, 20) + "=="
			if rng.IntN(4) > 0 {
				s += nl + "-----END " + label + "-----"
			}
			return sample{text: pick(rng, "key: ", "loaded ", "") + s, hidden: bodyText}
		},
		"cloud-key": func(rng *rand.Rand) sample {
			s := pick(rng,
				pick(rng, "AKIA", "ASIA")+letters(rng, upperDigits, 16),
				"AIza"+letters(rng, tokens, 35),
				"ya29."+letters(rng, tokens, 60),
				"GOCSPX-"+letters(rng, tokens, 28),
				"dop_v1_"+letters(rng, lowerHex, 64),
				"hvs."+token(rng, 90),
				"dapi1a2b3c"+letters(rng, lowerHex, 26),
			)
			if rng.IntN(8) == 0 {
				s = "sig=" + token(rng, 43) + "%3D"
				return sample{text: "GET /blob?sv=2024&" + s + "&se=2026", hidden: s[4:]}
			}
			return sample{text: "using " + s + pick(rng, "", " now", ", which", "\n"), hidden: s}
		},
		"api-token": func(rng *rand.Rand) sample {
			s := pick(rng,
				"gh"+letters(rng, "pousr", 1)+"_"+letters(rng, alnums, 36),
				"github_pat_"+letters(rng, alnums, 22)+"_"+letters(rng, alnums, 59),
				"glpat-"+letters(rng, tokens, 20),
				"xox"+letters(rng, "abprs", 1)+"-"+letters(rng, "0123456789", 11)+"-"+letters(rng, alnums, 24),
				"sk_live_"+letters(rng, alnums, 24), "rk_test_"+token(rng, 24), "whsec_"+token(rng, 32),
				"sk-proj-"+token(rng, 60), "sk-ant-api03-"+token(rng, 90), "sk-"+token(rng, 48),
				"hf_"+letters(rng, alnums, 34), "npm_"+letters(rng, alnums, 36), "pypi-AgEIcHlwaS5vcmc"+letters(rng, tokens, 60),
				"dckr_pat_"+letters(rng, tokens, 27), "SG."+token(rng, 22)+"."+letters(rng, tokens, 43),
				"nvapi-"+letters(rng, tokens, 64), "gsk_"+letters(rng, alnums, 52), "r8_"+letters(rng, alnums, 37),
				"glsa_"+token(rng, 32)+"_a1b2c3d4", "lin_api_"+letters(rng, alnums, 40), "shpat_"+letters(rng, lowerHex, 32),
				"hooks.slack.com/services/T"+letters(rng, upperDigits, 8)+"/B"+letters(rng, upperDigits, 8)+"/"+letters(rng, alnums, 24),
			)
			return sample{text: pick(rng, "with ", "https://", "'", "=") + s + pick(rng, "", " ok", "'", "\""), hidden: s}
		},
		"bearer": func(rng *rand.Rand) sample {
			s := token(rng, 10+rng.IntN(60))
			return sample{text: pick(rng, "sent Bearer ", "bearer  ", "BEARER ") + s + pick(rng, "", " (again)"), hidden: s}
		},
		"basic": func(rng *rand.Rand) sample {
			s := base64.StdEncoding.EncodeToString([]byte(letters(rng, alnums, 1+rng.IntN(9)) + ":" + letters(rng, alnums, 3+rng.IntN(20))))
			return sample{text: pick(rng, "Basic ", "basic ") + s, hidden: s}
		},
		"url-user": func(rng *rand.Rand) sample {
			s := letters(rng, alnums, 8) + pick(rng, "", "/", "/x") + letters(rng, alnums+"!$*~._-", 8)
			return sample{text: pick(rng, "postgres", "redis", "amqps", "https", "mongodb+srv") + "://" + pick(rng, "bob", "svc_train", "") + ":" + s +
				"@" + pick(rng, "db", "db.internal:5432", "10.0.0.7", "[::1]:6379") + pick(rng, "", "/x?y=1", " refused"), hidden: s}
		},
		"email": func(rng *rand.Rand) sample {
			s := "q" + letters(rng, alnums, 3+rng.IntN(8)) + pick(rng, "", ".smith", "+news", "_77")
			return sample{text: pick(rng, "from ", "<", "user=", "u/") + s + pick(rng, "@", "%40") + pick(rng, "example.com", "mail.example.co.uk", "xn--bcher-kva.example") +
				pick(rng, "", ">", ".", ", and"), hidden: s}
		},
		"card": func(rng *rand.Rand) sample {
			s := pick(rng, withLuhn(rng, "4", 16), withLuhn(rng, "53", 16), withLuhn(rng, "2221", 16), withLuhn(rng, "6011", 16))
			switch rng.IntN(4) {
			case 0:
				s = grouped(s, pick(rng, " ", "-"), 4, 4, 4)
			case 1:
				s = grouped(withLuhn(rng, pick(rng, "34", "37"), 15), pick(rng, "", " ", "-"), 4, 6)
			}
			return sample{text: pick(rng, "paid with ", "(", "") + s + pick(rng, ".", ")", " today", ""), hidden: s}
		},
		"iban": func(rng *rand.Rand) sample {
			s := pick(rng, withIBAN(rng, "DE", 22), withIBAN(rng, "FR", 27), withIBAN(rng, "NO", 15), withIBAN(rng, "ES", 24))
			if rng.IntN(2) == 0 {
				s = strings.TrimSpace(grouped(s+" ", " ", 4, 4, 4))
				parts := strings.Split(s, " ")
				for n := len(parts) - 1; len(parts[n]) > 4; n++ {
					parts = append(parts[:n], parts[n][:4], parts[n][4:])
				}
				s = strings.Join(parts, " ")
			}
			return sample{text: "to " + s + pick(rng, "", ".", ", yes"), hidden: s}
		},
		"ssn": func(rng *rand.Rand) sample {
			s := fmt.Sprintf("%03d-%02d-%04d", 1+rng.IntN(665), 1+rng.IntN(99), 1+rng.IntN(9999))
			return sample{text: "number " + s + pick(rng, "", ".", " on file"), hidden: s}
		},
		"phone": func(rng *rand.Rand) sample {
			s := pick(rng, "+4915123456", "+1 415 555 ", "+44-20-7946-", "+1 (415) 555-") + letters(rng, "0123456789", 4)
			return sample{text: "call " + s + pick(rng, "", ".", " now"), hidden: s}
		},
		"key": func(rng *rand.Rand) sample {
			name := pick(rng, "password", "db_password", "PGPASSWORD", "apiKey", "X-Api-Key", "aws_secret_access_key", "client-secret", "ACCESS_TOKEN",
				"token", "hf.token", "passwd", "my_private_key", "WANDB_API_KEY", "API key", "stripeSecretKey", "password_hash", "token2", "sessionId", "pwd")
			s := letters(rng, alnums, 1) + letters(rng, alnums+"!#$%*+./:;?@^_~-", 6+rng.IntN(20)) + "z"
			return sample{text: pick(rng,
				name+"="+s, name+": "+s, name+" = "+s+" and more", `{"`+name+`":"`+s+`","n":1}`, "'"+name+"' => '"+s+"'", name+`="`+s+` with spaces", x=1`,
				`{\"`+name+`\":\"`+s+`\"}`, "--"+strings.ReplaceAll(name, " ", "-")+" "+s+" --next", "https://h/p?"+strings.ReplaceAll(name, " ", "_")+"="+s+"&page=2",
				"Authorization: "+pick(rng, "Bearer ", "Basic ", "", "AWS4-HMAC-SHA256 Credential=a, Signature=")+s, "Cookie: theme=dark; sid="+s,
				"map["+strings.ReplaceAll(name, " ", "_")+":"+s+" user:bob]", "os.environ['"+name+"'] = '"+s+"'", name+":["+s+" "+s+"]"), hidden: s}
		},
	}
}

// samples returns n secrets of every kind.
func samples(seed uint64, n int) []sample {
	rng := rand.New(rand.NewPCG(seed, 1))
	var list []sample
	for kind, generate := range generators() {
		for range n {
			s := generate(rng)
			s.kind = kind
			list = append(list, s)
		}
	}
	return list
}
