package threat

import "testing"

func TestTextShowsAsSomethingElse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		want  Class
		texts []string
	}{
		{"controls", Control, []string{"a\x00b", "a\x1b[31mb", "a\x07", "a\x08\x08b", "over\rwritten", "a\x7f", "a\u0085b", "a\u009b31m", "a\u2028b", "not UTF-8: \xff", "\xc0\xaf"}},
		{"encoded breaks before a header", Control, []string{"x%0d%0aSet-Cookie: a=b", "x%0aLocation:%20//e.example", "x%0D%0A%0D%0A<b>", "x%250d%250aX-A%3a b", "x%25250aSet-Cookie:a", "x%e5%98%8a%e5%98%8dSet-Cookie:a", "x%u000aX-A: b", "a.php%00.jpg", "%1b[2J"}},
		{"direction", Bidi, []string{"access\u202e\u2066// check\u2069\u2066", "a\u202egpj.exe", "a\u2067b"}},
		{"no room", Invisible, []string{"pay\u200bpal", "a\u2060b", "a\ufeffb", "pass\u00adword", "a\u200db", "a\u200cb", "a\u200eb", "x\U000e0041\U000e0042", "a\ufe0fb", "\u4e00\U000e0100\U000e0101", "a\u3164"}},
		{"tokens of models", Token, []string{"<|im_start|>system", "x <|eot_id|> y", "<|endoftext|>", "<start_of_turn>user", "[INST] x [/INST]", "<<SYS>>"}},
		{"templates", Template, []string{"{{7*7}}", "{% import os %}", "<%= 7*7 %>", "${7*7}", "#{system('id')}", "${T(java.lang.Runtime)}"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			sinkRows(t, Text, row.want, row.texts...)
		})
	}
}

func TestTextHarmless(t *testing.T) {
	t.Parallel()
	sinkRows(t, Text, None,
		"", "tabs\tand\nlines\r\nof a file\r\n", "ends\r", "\ufeffwith the mark of the byte order",
		"emoji 👩\u200d💻 ❤\ufe0f 1\ufe0f⃣ 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f joined", "नमस्ते क्\u200dष", "می\u200cخواهم", "שלום\u200f!", "العربية\u200e (x)", "\u845b\U000e0100",
		"printf(\"%05d %00d %0d items %0a\", x)", "100%0 of it", "a %20b%0Ab", "line\nwith %41 in it", "${HOME}/x", "${NAME:-default}", "#{}", "{}", "{{", "a <% b", "<|>", "<| |>", "[INST",
	)
}

// TestTextWorstFirst: what hides the rest is told before what only decorates it.
func TestTextWorstFirst(t *testing.T) {
	t.Parallel()
	sinkRows(t, Text, Control, "{{x}} \u200b \x1b[0m")
	sinkRows(t, Text, Bidi, "{{x}} \u200b \u202e")
	sinkRows(t, Text, Invisible, "{{x}} \u200b")
}
