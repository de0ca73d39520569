package safeharbor

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func newScanner(t testing.TB, cfg Config) *Scanner {
	t.Helper()
	s, err := New(cfg)
	require.NoError(t, err)
	return s
}

// found scans a text and lists what was found, as kind@offset.
func found(t testing.TB, cfg Config, text string) []Place {
	t.Helper()
	cfg.Places = 1 << 20
	s := newScanner(t, cfg)
	require.NoError(t, s.Text(strings.NewReader(text)))
	return s.Report().Places
}

func kindsOf(places []Place) string {
	var out []string
	for _, p := range places {
		out = append(out, p.Kind.String())
	}
	return strings.Join(out, " ")
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		// (B)
		{"Springfield, IL 62704", "zip"},
		{"ZIP 62704", "zip"},
		{"zip code: 62704-1234", "zip"},
		{"62704-1234", "zip"},
		{"ZIP 036", "zip"},
		{"ZIP 036**", "zip"},
		{"ZIP 627", ""},
		{"ZIP 000", ""},
		{"about 62704 people", ""},
		// (C)
		{"2021-03-05", "date"},
		{"2021-03-05T10:11:12Z", "date"},
		{"03/05/2021", "date"},
		{"31.12.1999", "date"},
		{"3/5/21", "date"},
		{"12 / 05 / 2010", "date"},
		{"March 5, 2021", "date"},
		{"Mar. 5", "date"},
		{"5 March 2021", "date"},
		{"the 3rd of March", "date"},
		{"05-Mar-2021", "date"},
		{"05Mar2021", "date"},
		{"March 2021", "date"},
		{"03/2021", "date"},
		{"20210305T101112", "date"},
		{"DOB 19610305", "date"},
		{"born 3/5", "date"},
		{"in 2021", ""},
		{"they march 5 miles", ""},
		{"you may 2 times", ""},
		{"2021-13-45", ""},
		{"13/13/2013", ""},
		{"1/2 cup", ""},
		{"version 1.2.3", ""},
		{"a 93-year-old woman", "age"},
		{"aged 93", "age"},
		{"Age: 101", "age"},
		{"at the age of 94", "age"},
		{"93 y/o", "age"},
		{"93yo male", "age"},
		{"ninety-three years old", "age"},
		{"one hundred and two years old", "age"},
		{"aged 89", ""},
		{"age 90+", ""},
		{"90 years or older", ""},
		{"aged 90 or older", ""},
		{"page 94", ""},
		{"93 years of peace", ""},
		// (D), (E)
		{"(212) 555-1234", "phone"},
		{"212-555-1234", "phone"},
		{"212.555.1234", "phone"},
		{"+1 212 555 1234", "phone"},
		{"1-800-555-1234", "phone"},
		{"call 2125551234", "phone"},
		{"+12125551234", "phone"},
		{"+44 20 7946 0958", "phone"},
		{"+49 (30) 901820", "phone"},
		{"+(49) 30 901820", "phone"},
		{"tel. 020 7946 0958", "phone"},
		{"phone: 0044 20 7946 0958", "phone"},
		{"Fax: 212-555-1234", "fax"},
		{"212-555-1234 (fax)", "fax"},
		{"Fax 212-555-1234, phone 212-555-1235", "fax phone"},
		{"2125551234", ""},
		{"112-555-1234", ""},
		{"100-200-3000", ""},
		// (F)
		{"jane.doe+x@example.co.uk", "email"},
		{"jane%40example.com", "email"},
		{"jane (at) example (dot) com", ""},
		{"jane [at] example[dot]com", "email"},
		{"jane(at)example.com", "email"},
		{"@param name", ""},
		{"user@host", ""},
		{"mod@v1.2", ""},
		// (G)
		{"123-45-6789", "ssn"},
		{"123 45 6789", "ssn"},
		{"123.45.6789", "ssn"},
		{"SSN: 123456789", "ssn"},
		{"SSN123456789", "ssn"},
		{"social security number 123456789", "ssn"},
		{"id123-45-6789x", "ssn"},
		{"912-70-1234", "ssn"},
		{"000-45-6789", ""},
		{"666-45-6789", ""},
		{"123-00-6789", ""},
		{"123-45-0000", ""},
		{"912-10-1234", ""},
		{"123456789", ""},
		// (H), (I), (J), (K), (M)
		{"MRN: 00123456", "mrn"},
		{"MRN00123456", "mrn"},
		{"medical record number is A-123456", "mrn"},
		{`{"patient_id": "P123456"}`, "mrn"},
		{"patient 12", ""},
		{"member ID XYZ123456789", "plan"},
		{"1EG4-TE5-MK73", "plan"},
		{"1EG4TE5MK73", "plan"},
		{"policy 2012", ""},
		{"group number: 00123", "plan"},
		{"account no. 12345678", "account"},
		{"4111 1111 1111 1111", "account"},
		{"4111-1111-1111-1111", "account"},
		{"378282246310005", "account"},
		{"3782 822463 10005", "account"},
		{"4111111111111112", ""},
		{"GB82 WEST 1234 5698 7654 32", "account"},
		{"GB82WEST12345698765432", "account"},
		{"GB83WEST12345698765432", ""},
		{"driver's license number D1234567", "licence"},
		{"DEA AB1234563", "licence"},
		{"AB1234563", "licence"},
		{"AB1234564", ""},
		{"Licensed under the Apache License, Version 2.0", ""},
		{"490154203237518", "device"},
		{"35-209900-176148-1", "device"},
		{"490154203237517", ""},
		{"IMEI 490154203237517", "device"},
		{"serial number: SN-123456", "device"},
		{"S/N: 12345678", "device"},
		{"(01)00844588003288(17)141120", "device"},
		{"00:1a:2B:3c:4d:5e", "device"},
		{"00-1a-2B-3c-4d-5e", "device"},
		{"001a.2b3c.4d5e", "device"},
		// (L)
		{"1HGCM82633A004352", "vehicle"},
		{"1HGCM82633A004353", ""},
		{"VIN 1HGCM82633A004353", "vehicle"},
		{"license plate: 7ABC123", "vehicle"},
		// (N), (O)
		{"see https://example.com/x?y", "url"},
		{"www.example.com", "url"},
		{"http://www.example.com", "url"},
		{"a://b", ""},
		{"10.1.2.3", "ip"},
		{"10.1.2.3:8080", "ip"},
		{"1.2.3.4.5", ""},
		{"v1.2.3.4", ""},
		{"256.1.2.3", ""},
		{"127.0.0.1", ""},
		{"2001:db8::1", "ip"},
		{"fe80::1ff:fe23:4567:890a", "ip"},
		{"::1", ""},
		{"std::vector", ""},
		{"10:20:30", ""},
		// hostile writing
		{"１２３-４５-６７８９", "ssn"},
		{"١٢٣-٤٥-٦٧٨٩", "ssn"},
		{"123\u201145\u20116789", "ssn"},
		{"123\u00a045\u00a06789", "ssn"},
		{"12\u200b3-45-6789", "ssn"},
		{"jane＠example.com", "email"},
		{"123 - 45 - 6789", "ssn"},
		// nothing
		{"", ""},
		{"550e8400-e29b-41d4-a716-446655440000", ""},
		{"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ""},
		{"$1,234,567.89 in 1234 shares", ""},
		{"ISBN 978-3-16-148410-0", ""},
		{"1699999999", ""},
		{"3.14159265358979", ""},
		// Numbers behind and before others.
		{"123-45-6789 12 Main St", "ssn"},
		{"123-45-6789 (415) 555-2671", "ssn phone"},
		{"123-45-6789. 3 days later", "ssn"},
		{"123 45 6789 12", ""},
		{"4111111111111111 12/25", "account"},
		{"378282246310005 12/25", "account"},
		{"30569309025904 12/25", "account"},
		{"3056 930902 5904 12/25", "account"},
		{"4111111111111111. 3 items", "account"},
		{"3/5/2021-3/9/2021", "date"},
		{"2021-03-05/2021-03-09", "date"},
		// Phones, URLs, records and addresses in other forms.
		{"001 415 555 2671", "phone"},
		{"0049 89 63648018", "phone"},
		{"001 002 003 004", ""},
		{"0012 34", ""},
		{"1a2b3c4d-0041-4123-8123-123456789012", ""},
		{"b6893987-38b3-e44c-c295-4366248d7ca0", ""},
		{"415-5552671", "phone"},
		{"file:///home/bob", "url"},
		{`"http:\/\/x.org\/"`, "url"},
		{"MRN:\n123", "mrn"},
		{"MRN\n12345678", ""},
		{"MR# 123456", "mrn"},
		{"Mr 123456", ""},
		{"SS# 123456789", "ssn"},
		{"MAC 001A2B3C4D5E", "device"},
		{"month 2021-03", "date"},
		{"2021-03", "date"},
		{"the season 2003-04", ""},
		{"8.8.8.8-8.8.8.20", "ip"},
		{"192.168.001.001", "ip"},
		{"8.8.8.8-2", ""},
		{"version 1.2.3.4", ""},
		{"release: 1.2.3.4", ""},
		{"92y", "age"},
		{"92 Y", "age"},
		{"92F with cough", "age"},
		{"92 M, admitted", "age"},
		{"fever of 102F with chills", ""},
		{"110M with dropout", ""},
		{"a model of 92M", ""},
		{"Age 92.5", "age"},
		{"age 95 days", ""},
		{"aged 90 weeks", ""},
		{"age: 100 epochs", ""},
		// Shapes, and states that are words.
		{"256 512 1024", ""},
		{"shape 224-224-1024", ""},
		{"512 10 1024", ""},
		{"layers 768 12 3072", ""},
		{"call 256 512 1024", "phone"},
		{"OR 10000", ""},
		{"IN 12345 cases", ""},
		{"OR 97201", "zip"},
		{"Dayton, OH 12345", "zip"},
	} {
		require.Equal(t, tt.want, kindsOf(found(t, Config{}, tt.text)), "%q", tt.text)
		if tt.want != "" && !strings.Contains(tt.want, " ") {
			require.Contains(t, kindsOf(found(t, Config{}, "x "+tt.text+".\ny")), tt.want, "%q", tt.text)
		}
	}
}

func TestOffsets(t *testing.T) {
	t.Parallel()
	text := "é １２３-45-6789 \u200bjane@example.com"
	require.Equal(t, []Place{{SSN, 0, "", int64(strings.Index(text, "１"))}, {Email, 0, "", int64(strings.Index(text, "jane"))}}, found(t, Config{}, text))
	s := newScanner(t, Config{})
	s.Cell(7, "note", "x 2021-03-05")
	require.Equal(t, []Place{{Date, 7, "note", 2}}, s.Report().Places)
}

func TestCell(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ column, value, want string }{
		{"zip", "62704", "zip"},
		{"zipCode", "2139", "zip"},
		{"zip3", "627", ""},
		{"zip3", "036", "zip"},
		{"zip5", "62704", "zip"},
		{"zip_cd", "62704", "zip"},
		{"zip_count", "62704", ""},
		{"age_years", "92", "age"},
		{"age_at_admission", "92", "age"},
		{"age_at_admission", "3", ""},
		{"AgeAtVisit", "92", "age"},
		{"Age (years)", "92", "age"},
		{"AGEYears", "92", "age"},
		{"age_in_days", "92", ""},
		{"age", "92.5", "age"},
		{"age", "89.5", ""},
		{"mrn_value", "123456", "mrn"},
		{"pat_id", "123456", "mrn"},
		{"pat_visits", "123456", ""},
		{"admit_dt", "20210305", "date"},
		{"contact_number", "2125551234", "phone"},
		{"mac", "001A2B3C4D5E", "device"},
		{"mac", "AABBCCDDEEFF", "device"},
		{"", "93", ""},
		{"年齢", "93", ""},
		{"ZIP", "036", "zip"},
		{"age", "93", "age"},
		{"Age", "89", ""},
		{"age", "90+", ""},
		{"dob", "19610305", "date"},
		{"date_of_birth", "1961-03", "date"},
		{"birthDate", "1961", ""},
		{"phone", "2125551234", "phone"},
		{"fax_number", "2125551234", "fax"},
		{"ssn", "123456789", "ssn"},
		{"mrn", "12345678", "mrn"},
		{"patient_id", "P12345", "mrn"},
		{"patientId", "12345", "mrn"},
		{"accountNumber", "12345678", "account"},
		{"member_id", "ABC12345", "plan"},
		{"serial_number", "X12345", "device"},
		{"plate", "AB 123", ""},
		{"license_plate", "7ABC123", "vehicle"},
		{"count", "12345678", ""},
		{"score", "93", ""},
		{"text", "nothing here", ""},
	} {
		s := newScanner(t, Config{})
		for range 2 { // a column that is known reads like a new one
			s.Cell(0, tt.column, tt.value)
		}
		want := tt.want
		if want != "" {
			want += " " + want
		}
		require.Equal(t, want, kindsOf(s.Report().Places), "%s = %s", tt.column, tt.value)
	}
}

// TestWidthlessMemory: characters that stand for nothing take no memory.
func TestWidthlessMemory(t *testing.T) {
	t.Parallel()
	s := newScanner(t, Config{})
	require.NoError(t, s.Text(strings.NewReader(strings.Repeat("\u200b", 1<<20)+"8.8.8.8")))
	require.Equal(t, []Place{{IP, 0, "", 3 << 20}}, s.Report().Places)
	require.Less(t, cap(s.buf.shifts), 100)
}

func TestFormats(t *testing.T) {
	t.Parallel()
	cfg := Config{Formats: map[Kind][]string{MRN: {"KH-999999", "H9999AX"}}}
	require.Equal(t, "mrn mrn", kindsOf(found(t, cfg, "x KH-123456 kh-12345 KH-1234567 h1234b7")))
	for _, bad := range []string{"", "99", "AAAA", "-9999", "9\n99999", "9999999999999999999999999999999999"} {
		_, err := New(Config{Formats: map[Kind][]string{MRN: {bad}}})
		require.Error(t, err, "%q", bad)
	}
	for _, cfg := range []Config{{Kinds: []Kind{99}}, {Formats: map[Kind][]string{99: nil}}, {RestrictedZIP3: []string{"12"}}} {
		_, err := New(cfg)
		require.Error(t, err)
	}
	only := newScanner(t, Config{Kinds: []Kind{IP}})
	only.Cell(0, "x", "123-45-6789 10.1.2.3")
	require.Equal(t, map[Kind]int64{IP: 1}, only.Report().Counts)
}

const mixed = "Jane, DOB 03/05/1961, SSN 123-45-6789, é１２３-45-6789, MRN: 12345678; call (212) 555-1234 or fax 212-555-1235, " +
	"jane.doe@example.com, https://example.com/a, 10.1.2.3, 2001:db8::1, 1HGCM82633A004352, GB82 WEST 1234 5698 7654 32, " +
	"4111 1111 1111 1111, IMEI 490154203237518, a 93-year-old, Springfield, IL 62704-1234, March 5, 2021. "

// TestChunks: what is found does not depend on how a text arrives.
func TestChunks(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(mixed+strings.Repeat("filler ", 40), 60) + strings.Repeat("a1", 500) + mixed
	want := found(t, Config{}, text)
	require.Greater(t, len(want), 900)
	for name, r := range map[string]io.Reader{
		"bytes":  iotest.OneByteReader(strings.NewReader(text)),
		"halves": iotest.HalfReader(strings.NewReader(text)),
		"eof":    iotest.DataErrReader(strings.NewReader(text)),
	} {
		s := newScanner(t, Config{Places: 1 << 20})
		require.NoError(t, s.Text(r), name)
		require.Equal(t, want, s.Report().Places, name)
	}
	s := newScanner(t, Config{Places: 1 << 20})
	s.Cell(0, "", text)
	require.Equal(t, len(want), len(s.Report().Places))
}

func TestBrokenReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk")
	s := newScanner(t, Config{})
	require.ErrorIs(t, s.Text(io.MultiReader(strings.NewReader("123-45-6789 "), iotest.ErrReader(broken))), broken)
	r := s.Report()
	require.True(t, r.Broken)
	require.EqualValues(t, 1, r.Counts[SSN])
	require.False(t, r.Scan("d", true).Complete)
}

func TestReport(t *testing.T) {
	t.Parallel()
	a := newScanner(t, Config{Places: 2})
	for row := range 5 {
		a.Cell(int64(row), "x", "123-45-6789")
		a.Cell(int64(row), "y", "1")
	}
	r := a.Report()
	require.EqualValues(t, 5, r.Rows)
	require.EqualValues(t, 5, r.Counts[SSN])
	require.Len(t, r.Places, 2)
	b := newScanner(t, Config{Kinds: []Kind{SSN, IP}})
	b.Cell(0, "x", "10.1.2.3")
	m := r.Merge(b.Report())
	require.Equal(t, map[Kind]int64{SSN: 5, IP: 1}, m.Counts)
	require.EqualValues(t, 6, m.Rows)
	scan := m.Scan("notes", true)
	require.Equal(t, map[string]int64{"ssn": 5, "ip": 1}, scan.Counts)
	require.True(t, scan.Complete)
	require.NotContains(t, string(must(r)), "6789")
}

func must(r Report) []byte {
	var b bytes.Buffer
	for _, p := range r.Places {
		text, _ := p.Kind.MarshalText()
		b.Write(text)
		b.WriteString(p.Column)
	}
	return b.Bytes()
}

func TestKindText(t *testing.T) {
	t.Parallel()
	for _, k := range Kinds() {
		text, err := k.MarshalText()
		require.NoError(t, err)
		var back Kind
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, k, back)
	}
	var k Kind
	require.Error(t, k.UnmarshalText([]byte("nothing")))
	_, err := Kind(99).MarshalText()
	require.Error(t, err)
}

// FuzzText: no input panics, and what is found does not depend on chunks.
func FuzzText(f *testing.F) {
	f.Add([]byte(mixed), 3)
	f.Add([]byte("(01)00844588003288 +(49)1 90+ 93yo ninety-nine years old www. :// @@ %40 [at] :: 00:"), 1)
	f.Add([]byte("١٢٣-٤٥-٦٧٨٩\u200b\xff\xf0\x9f"), 2)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		cfg := Config{Places: 1 << 20, Formats: map[Kind][]string{MRN: {"A9-999"}}}
		one, two := newScanner(t, cfg), newScanner(t, cfg)
		require.NoError(t, one.Text(bytes.NewReader(text)))
		require.NoError(t, two.Text(&slow{text, max(1, size%700)}))
		require.Equal(t, one.Report(), two.Report())
		for _, p := range one.Report().Places {
			require.Less(t, p.Offset, int64(len(text)))
		}
	})
}

type slow struct {
	b []byte
	n int
}

func (r *slow) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.n)], r.b)
	r.b = r.b[n:]
	return n, nil
}

func FuzzCell(f *testing.F) {
	f.Add("zip", "62704")
	f.Add("patientId", "A-123")
	f.Fuzz(func(t *testing.T, column, value string) {
		s := newScanner(t, Config{})
		s.Cell(0, column, value)
		first := s.Report()
		s.Cell(1, column, value)
		second := s.Report()
		for k, n := range first.Counts {
			require.Equal(t, 2*n, second.Counts[k])
		}
	})
}

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{
		"identifiers": strings.Repeat(mixed, 1<<20/len(mixed)),
		"prose":       strings.Repeat("It was the best of times, it was the worst of times; 12 people came in 1859. ", 1<<20/78),
		"digits":      strings.Repeat("12-34 ", 1<<20/6),
		"blob":        strings.Repeat("QmFzZTY0", 1<<20/8),
		"hostile":     strings.Repeat("1:", 1<<19),
		"at":          strings.Repeat("a@", 1<<19),
	} {
		b.Run(name, func(b *testing.B) {
			s := newScanner(b, Config{})
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Text(strings.NewReader(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCell(b *testing.B) {
	s := newScanner(b, Config{})
	b.ReportAllocs()
	for b.Loop() {
		s.Cell(0, "patient_note", "seen on 2021-03-05, stable")
	}
}
