package corpus

import (
	"math"
	"reflect"
	"slices"
	"testing"
)

// wordsOf are the features that the words of s make, for comparison by hash.
func wordsOf(s string) []int32 {
	v := vectorizer{buckets: maxBuckets}
	v.addWords(s)
	return v.hit
}

func bucketsOf(spelled ...string) []int32 {
	var b []int32
	for _, w := range spelled {
		b = append(b, int32(hash(words, w, false)%maxBuckets))
	}
	return b
}

func TestWords(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][]string{
		"":                            nil,
		"x":                           nil,
		"X":                           nil,
		"xY":                          nil,
		"err":                         {"err"},
		"ReadAll":                     {"read", "all"},
		"readAll":                     {"read", "all"},
		"HTTPServer":                  {"http", "server"},
		"NewHTTPServer":               {"new", "http", "server"},
		"ServeHTTP":                   {"serve", "http"},
		"sha256Sum":                   {"sha", "sum"},
		"max_idle":                    {"max", "idle"},
		"AChar":                       {"char"},
		"isA":                         {"is"},
		"IDs":                         {"ds"}, // the price of the rule for HTTPServer
		"// don't panic":              {"don", "panic"},
		"\"net/http: bad %d\"":        {"net", "http", "bad"},
		"größeÄndern":                 {"größeÄndern"},
		"世界":                          {"世界"},
		"\xff\xfe":                    {"\xff\xfe"},
		"\x00ab":                      {"ab"},
		"TLS_ECDHE_RSA_WITH_AES_128_": {"tls", "ecdhe", "rsa", "with", "aes"},
	} {
		if got := wordsOf(s); !reflect.DeepEqual(got, bucketsOf(want...)) {
			t.Errorf("words of %q: %v, want those of %q", s, got, want)
		}
	}
}

func TestVector(t *testing.T) {
	t.Parallel()
	vector := func(text string) ([]int32, []float32) {
		return (&vectorizer{buckets: maxBuckets}).vector([]byte(text))
	}
	index, value := vector("func (b *Buffer) readAll() { b.readAll(0x10, 'c') /* read all */ }")
	want := append(bucketsOf("buffer", "read", "all"),
		int32(hash(identifiers, "b", false)%maxBuckets),
		int32(hash(identifiers, "Buffer", false)%maxBuckets),
		int32(hash(identifiers, "readAll", false)%maxBuckets))
	slices.Sort(want)
	want = append(want, maxBuckets)
	if !reflect.DeepEqual(index, want) {
		t.Errorf("features %v, want %v", index, want)
	}
	for i, v := range value[:len(value)-1] {
		if v != float32(1/math.Sqrt(6)) {
			t.Errorf("value %d is %g, want 1/sqrt(6)", i, v)
		}
	}
	if last := value[len(value)-1]; last != bias {
		t.Errorf("the constant feature is %g, want %g", last, bias)
	}

	// Keywords, operators, numbers and layout make no feature, nor does repetition.
	same, _ := vector("func (b *Buffer) readAll() { for { if b.readAll() == 3.14 { return } } }\n\t\t// read, read")
	if !reflect.DeepEqual(same, index) {
		t.Errorf("features %v, want %v", same, index)
	}
	if i, v := vector("func() {}"); !reflect.DeepEqual(i, []int32{maxBuckets}) || !reflect.DeepEqual(v, []float32{bias}) {
		t.Errorf("without words: %v %v, want the constant feature alone", i, v)
	}
	// One spelling, two features: the word and the identifier.
	if i, _ := vector("err"); len(i) != 3 {
		t.Errorf("features of err: %v, want a word, an identifier and the constant", i)
	}
}

func FuzzVector(f *testing.F) {
	for _, s := range []string{"", "func F() {}", "\"unterminated", "`raw", "/* open", "\x00\xff世界", "a.b.C(DEFGhi)", "'"} {
		f.Add([]byte(s), uint16(7))
	}
	f.Fuzz(func(t *testing.T, text []byte, buckets uint16) {
		v := vectorizer{buckets: uint64(buckets) + 1}
		index, value := v.vector(text)
		if len(index) != len(value) || len(index) == 0 {
			t.Fatalf("%d indices, %d values", len(index), len(value))
		}
		norm := 0.0
		for i, b := range index {
			if b < 0 || int(b) > int(buckets)+1 || i > 0 && b <= index[i-1] {
				t.Fatalf("index %d at %d after %v", b, i, index[:i])
			}
			norm += float64(value[i]) * float64(value[i])
		}
		if want := 1 + bias*bias; len(index) > 1 && math.Abs(norm-want) > 1e-5 {
			t.Fatalf("squared norm %g, want %g", norm, want)
		}
		again, values := v.vector(text)
		if !slices.Equal(again, index) || !slices.Equal(values, value) {
			t.Fatal("the second vector of a text differs from the first")
		}
	})
}
