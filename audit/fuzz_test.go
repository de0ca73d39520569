package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

// FuzzOpen gives Open and Verify arbitrary files. They agree; what they refuse stays as it is, and what they accept can be
// appended to without losing an entry.
func FuzzOpen(f *testing.F) {
	data, _ := sample(f, 3)
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add(data[:len(data)-100])
	f.Add(append(bytes.Clone(data), 0, 0, 0))
	f.Add([]byte(partSeq + "1"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		rep, verr := Verify(bytes.NewReader(content))
		file := &fakeFile{data: bytes.Clone(content)}
		l, oerr := newLog(file, "x", Options{})
		if (verr == nil) != (oerr == nil) {
			t.Fatalf("Verify says %v, Open says %v", verr, oerr)
		}
		if oerr != nil {
			var damage *DamageError
			if !errors.As(oerr, &damage) || damage.Seq != rep.Entries+1 || damage.Offset != rep.Bytes {
				t.Fatalf("%v after %+v", oerr, rep)
			}
			if !bytes.Equal(file.data, content) {
				t.Fatal("a refused file was changed")
			}
			return
		}
		if _, err := l.Append(t.Context(), Event{Kind: KindNote}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		after, err := Verify(bytes.NewReader(file.data), rep.Head, l.Head())
		if err != nil || after.Torn != 0 || after.Entries <= rep.Entries || !bytes.HasPrefix(file.data, content[:rep.Bytes]) {
			t.Fatalf("%+v became %+v: %v", rep, after, err)
		}
	})
}

// FuzzAppend stores arbitrary events: each is refused, or found again with its data unchanged in meaning.
func FuzzAppend(f *testing.F) {
	f.Add("note", "r1", []byte(`{"a":[1,2.5,"x\u2028"]}`))
	f.Add("a.b_c-9", "", []byte("\"\u202e\U000e0041\""))
	f.Add("note", "r", []byte("\"\\ud800\""))
	f.Fuzz(func(t *testing.T, kind, run string, data []byte) {
		file := &fakeFile{}
		l, err := newLog(file, "x", Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Append(t.Context(), Event{Kind: Kind(kind), Run: run, Data: json.RawMessage(data)})
		if cerr := l.Close(); cerr != nil {
			t.Fatal(cerr)
		}
		if err != nil {
			if len(file.data) > 0 {
				t.Fatal("a refused event was written")
			}
			return
		}
		if bytes.Count(file.data, []byte("\n")) != 1 {
			t.Fatalf("not one line: %q", file.data)
		}
		n := 0
		for e, err := range Entries(bytes.NewReader(file.data)) {
			if n++; err != nil || e.Kind != Kind(kind) || e.Run != run {
				t.Fatalf("%+v %v", e, err)
			}
			var want, got any
			if err := json.Unmarshal(data, &want); err != nil && len(data) > 0 {
				return // a number too large for float64 is still JSON
			}
			if err := json.Unmarshal(e.Data, &got); err != nil {
				t.Fatal(err)
			}
			a, _ := json.Marshal(want)
			b, _ := json.Marshal(got)
			if !bytes.Equal(a, b) {
				t.Fatalf("%s became %s", a, b)
			}
		}
		if n != 1 {
			t.Fatalf("%d entries", n)
		}
	})
}
