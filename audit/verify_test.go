package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// Every truncation is repaired at the next Open, which says how much it cut, and is found by whoever kept the head.
func TestEveryTruncation(t *testing.T) {
	t.Parallel()
	const n = 4
	data, heads := sample(t, n)
	ends := []int{0}
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	for size := range len(data) + 1 {
		whole := 0 // entries that are complete; the line end of the last may be missing
		for whole < n && size >= ends[whole+1]-1 {
			whole++
		}
		cut := max(0, size-ends[whole])

		rep, err := Verify(bytes.NewReader(data[:size]))
		require.NoError(t, err, size)
		require.Equal(t, uint64(whole), rep.Entries, size)
		require.Equal(t, heads[whole], rep.Head, size)
		require.Equal(t, int64(cut), rep.Torn, size)
		for _, h := range heads {
			_, err := Verify(bytes.NewReader(data[:size]), h)
			var missing *HeadError
			require.Equal(t, h.Seq > uint64(whole), errors.As(err, &missing), "size %d, head %d", size, h.Seq)
		}

		f := &fakeFile{data: bytes.Clone(data[:size])}
		l, err := newLog(f, "x", Options{})
		require.NoError(t, err, size)
		repaired := size != ends[whole]
		_, err = l.Append(t.Context(), Event{Kind: KindNote})
		require.NoError(t, err)
		require.NoError(t, l.Close())
		all := collect(t, bytes.NewReader(f.data))
		require.True(t, bytes.HasPrefix(f.data, data[:min(size, ends[whole])]))
		if !repaired {
			require.Len(t, all, whole+1, size)
			continue
		}
		require.Len(t, all, whole+2, size)
		require.Equal(t, KindRecovered, all[whole].Kind)
		var said struct{ Cut, Offset int }
		require.NoError(t, json.Unmarshal(all[whole].Data, &said))
		require.Equal(t, cut, said.Cut, size)
		require.Equal(t, min(size, ends[whole]), said.Offset, size)
		require.Equal(t, KindNote, all[whole+1].Kind)
	}
}

func TestEveryBitFlip(t *testing.T) {
	t.Parallel()
	data, _ := sample(t, 4)
	line := int64(bytes.IndexByte(data, '\n') + 1)
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			rep, err := Verify(bytes.NewReader(bad))
			var damage *DamageError
			require.ErrorAs(t, err, &damage, "byte %d bit %d", i, bit)
			require.Equal(t, int64(i)/line, int64(damage.Seq)-1, "byte %d bit %d: %v", i, bit, err)
			require.Equal(t, int64(damage.Seq-1)*line, damage.Offset)
			require.Equal(t, damage.Seq-1, rep.Entries)

			f := &fakeFile{data: bytes.Clone(bad)}
			_, err = newLog(f, "x", Options{})
			require.ErrorAs(t, err, &damage)
			require.Equal(t, bad, f.data, "a damaged log stays as it is")
		}
	}
}

// A flip in a line that a crash left unfinished is found or cut, and never costs an entry in front of it.
func TestEveryBitFlipWithTornTail(t *testing.T) {
	t.Parallel()
	data, heads := sample(t, 3)
	data = data[:len(data)-30]
	tail := bytes.LastIndexByte(data, '\n') + 1
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			l, err := newLog(&fakeFile{data: bad}, "x", Options{})
			if err != nil {
				var damage *DamageError
				require.ErrorAs(t, err, &damage)
				continue
			}
			require.GreaterOrEqual(t, i, tail)
			require.Equal(t, uint64(3), l.Head().Seq, "two entries and the repair")
			require.NoError(t, l.Close())
			_, err = Verify(bytes.NewReader(bad), heads[2])
			require.NoError(t, err)
		}
	}
}

func TestTamper(t *testing.T) {
	t.Parallel()
	data, heads := sample(t, 6)
	other, _ := sample(t, 5)
	lines := bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	lines[5] = append(lines[5], '\n')
	join := func(order ...int) []byte {
		var out []byte
		for _, i := range order {
			out = append(out, lines[i]...)
		}
		return out
	}
	forged := func(change func(e *Entry)) []byte { // entry 3 with a hash that fits its new content
		all := collect(t, bytes.NewReader(data))
		change(&all[2])
		var enc encoder
		return slices.Concat(join(0, 1), enc.append(nil, &all[2]), []byte("\n"), join(3, 4, 5))
	}
	edit := func(old, new string) []byte { return bytes.Replace(data, []byte(old), []byte(new), 1) }
	for _, tt := range []struct {
		name string
		log  []byte
		seq  uint64
		want string
	}{
		{"first removed", join(1, 2, 3, 4, 5), 1, "entry 2 stands in its place"},
		{"middle removed", join(0, 1, 3, 4, 5), 3, "entry 4 stands in its place"},
		{"swapped", join(0, 2, 1, 3, 4, 5), 2, "entry 3 stands in its place"},
		{"repeated", join(0, 1, 1, 2, 3, 4, 5), 3, "entry 2 stands in its place"},
		{"replayed at the end", join(0, 1, 2, 3, 4, 5, 5), 7, "entry 6 stands in its place"},
		{"all twice", append(bytes.Clone(data), data...), 7, "entry 1 stands in its place"},
		{"edited", edit(`"i":2`, `"i":9`), 3, "does not have its hash"},
		{"time moved", edit("12:00:02", "12:00:03"), 3, "does not have its hash"},
		{"space added", edit(`{"i":2`, `{ "i":2`), 3, "does not have its hash"},
		{"carriage returns", bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")), 1, "not the line of an entry"},
		{"empty line", slices.Concat(join(0, 1), []byte("\n"), join(2)), 3, "not the line of an entry"},
		{"upper-case hash", append(bytes.Clone(data[:len(data)-40]), bytes.ToUpper(data[len(data)-40:])...), 6, "hash"},
		{"other version", edit(`{"v":1,"seq":3`, `{"v":2,"seq":3`), 3, "not the line of an entry"},
		{"forged content", forged(func(e *Entry) { e.Data = json.RawMessage("0") }), 4, "does not follow the entry before"},
		{"forged past", forged(func(e *Entry) { e.Prev[0]++ }), 3, "does not follow the entry before"},
		{"forged data", forged(func(e *Entry) { e.Data = json.RawMessage("{") }), 3, "not the line of an entry"},
		{"forged kind", forged(func(e *Entry) { e.Kind = `x","run":"` }), 3, "not the line of an entry"},
		{"zeros inside", slices.Concat(join(0, 1), make([]byte, 9), join(2)), 3, "not the line of an entry"},
		{"garbage at the end", append(bytes.Clone(data), "garbage"...), 7, "not the beginning of another one"},
		{"long line", slices.Concat(join(0), bytes.Repeat([]byte("x"), 2*maxLine), join(1)), 2, "too long"},
		{"long end", slices.Concat(join(0), bytes.Repeat([]byte("x"), 2*maxLine)), 2, "too long"},
		{"two writers", append(bytes.Clone(other), edit("", "")[len(other):]...), 0, ""},
	} {
		_, err := Verify(bytes.NewReader(tt.log))
		if tt.seq == 0 {
			require.NoError(t, err, tt.name) // the same events give the same log
			continue
		}
		var damage *DamageError
		require.ErrorAs(t, err, &damage, tt.name)
		require.Equal(t, tt.seq, damage.Seq, tt.name)
		require.Contains(t, damage.Reason, tt.want, tt.name)
		last := uint64(0)
		for e, got := range Entries(bytes.NewReader(tt.log)) {
			if got != nil {
				require.Equal(t, err, got, tt.name)
				break
			}
			last = e.Seq
		}
		require.Equal(t, tt.seq-1, last, tt.name)
	}

	// What the chain alone cannot show.
	for n := range 6 {
		_, err := Verify(bytes.NewReader(join([]int{0, 1, 2, 3, 4}[:min(n, 5)]...)))
		require.NoError(t, err)
		_, err = Verify(bytes.NewReader(join([]int{0, 1, 2, 3, 4}[:min(n, 5)]...)), heads[6])
		var missing *HeadError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, HeadError{Want: heads[6], Have: heads[min(n, 5)]}, *missing)
		require.ErrorContains(t, err, "it was cut")
	}
	var enc encoder
	var rewritten []byte
	prev := Hash{}
	for _, e := range collect(t, bytes.NewReader(data)) {
		if e.Prev = prev; e.Seq == 2 {
			e.Data = json.RawMessage(`"nothing to see"`)
		}
		rewritten = append(enc.append(rewritten, &e), '\n')
		prev = e.Hash
	}
	_, err := Verify(bytes.NewReader(rewritten), heads[1])
	require.NoError(t, err, "heads from before the change are still there")
	for _, h := range heads[2:] {
		_, err = Verify(bytes.NewReader(rewritten), heads[1], h, heads[0])
		require.ErrorContains(t, err, "was rewritten")
	}
	_, err = Verify(bytes.NewReader(data), Head{Hash: Hash{1}})
	require.Error(t, err, "no log has that head")
	_, err = Verify(bytes.NewReader(data), slices.Concat(heads, heads)...)
	require.NoError(t, err)
}

// What a crash may leave beyond the last line end is no damage, of whatever length.
func TestZerosAtTheEnd(t *testing.T) {
	t.Parallel()
	data, heads := sample(t, 2)
	for _, cut := range []int{0, 1, 50} {
		for _, zeros := range []int{1, 4096, maxLine + 2, 3 * maxLine} {
			f := &fakeFile{data: append(bytes.Clone(data[:len(data)-cut]), make([]byte, zeros)...)}
			l, err := newLog(f, "x", Options{})
			require.NoError(t, err)
			require.NoError(t, l.Close())
			all := collect(t, bytes.NewReader(f.data))
			require.Equal(t, KindRecovered, all[len(all)-1].Kind)
			_, err = Verify(bytes.NewReader(f.data), heads[1])
			require.NoError(t, err)
			_, err = Verify(bytes.NewReader(f.data), heads[2])
			require.Equal(t, cut > 1, err != nil)
		}
	}
	_, err := Verify(bytes.NewReader(append(bytes.Clone(data), 0, '\n')))
	require.Error(t, err)
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	data, _ := sample(t, 3)
	_, err := Verify(io.MultiReader(bytes.NewReader(data[:len(data)-9]), iotest.ErrReader(os.ErrDeadlineExceeded)))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	rep, err := Verify(iotest.OneByteReader(bytes.NewReader(data)))
	require.NoError(t, err)
	require.Equal(t, uint64(3), rep.Entries)

	path := filepath.Join(t.TempDir(), "log")
	_, err = VerifyFile(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, append(data, "x\n"...), 0o600))
	_, err = VerifyFile(path)
	require.ErrorContains(t, err, path+" is damaged at entry 4 (offset ")
	_, err = VerifyFile(path, Head{Seq: 2})
	require.ErrorContains(t, err, path+" was rewritten")
}

func TestHead(t *testing.T) {
	t.Parallel()
	_, heads := sample(t, 3)
	for _, h := range append(heads, Head{Seq: math.MaxUint64, Hash: Hash{31: 0xff}}) {
		got, err := ParseHead(h.String())
		require.NoError(t, err)
		require.Equal(t, h, got)
		text, err := json.Marshal(map[string]Head{"head": h})
		require.NoError(t, err)
		var back map[string]Head
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, h, back["head"])
	}
	sum := strings.Repeat("0", 64)
	for _, bad := range []string{"", ":", "1", "1:", "1:00", ":" + sum, "-1:" + sum, "1:" + sum + "0", "1:" + sum[1:] + "g",
		"18446744073709551616:" + sum, "1:" + strings.Repeat("\n", 1<<16)} {
		_, err := ParseHead(bad)
		require.ErrorContains(t, err, "audit: head", bad)
		require.Less(t, len(err.Error()), 600)
	}
}
