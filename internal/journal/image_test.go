package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
)

// found is an entry that was replayed.
type found struct {
	seq      uint64
	snapshot bool
	payload  string
}

// holding is a disk whose journal has this content.
func holding(image []byte) *durabletest.Disk {
	return durabletest.Holding(fileName, image)
}

// read opens an image and closes it again.
func read(t testing.TB, image []byte) (entries []found, rec Recovery, after []byte, err error) {
	d := holding(image)
	j, err := OpenIn(d, "x", Options{Replay: func(e Entry) error {
		entries = append(entries, found{e.Seq, e.Snapshot, string(e.Payload)})
		return nil
	}})
	if err != nil {
		require.Nil(t, j)
		require.Equal(t, image, d.Files()[fileName], "what is refused stays as it was")
		require.True(t, unlocked(d))
		return nil, Recovery{}, nil, err
	}
	rec = j.Recovery()
	require.NoError(t, j.Close())
	require.True(t, unlocked(d))
	require.EqualValues(t, len(image), rec.Offset+rec.Cut)
	require.Equal(t, image[:rec.Offset], d.Files()[fileName][:rec.Offset])
	return entries, rec, d.Files()[fileName], nil
}

func unlocked(d durable.Dir) bool {
	lock, err := d.Lock()
	return err == nil && lock.Close() == nil
}

// sample is a journal, where its frames begin, and how many entries (and snapshots) precede each of these. Sealed, it
// was closed; else the process was killed.
func sample(t testing.TB, sealed, compacted bool) (image []byte, frames []int, before []int) {
	d := durabletest.New()
	j, err := OpenIn(d, "x", Options{})
	require.NoError(t, err)
	frames, before = []int{headerSize}, []int{0}
	n := 0
	step := func(payloads ...[]byte) {
		_, size := j.Last()
		frames, before = append(frames, int(size)), append(before, n)
		_, err := j.AppendBatch(t.Context(), payloads...)
		require.NoError(t, err)
		n += len(payloads)
	}
	if compacted {
		_, err := j.AppendBatch(t.Context(), []byte("a"), []byte("b"), []byte("c"))
		require.NoError(t, err)
		require.NoError(t, j.Compact(t.Context(), 3, []byte("abc")))
		n++
	}
	step([]byte("hello"))
	step([]byte("world"), nil, bytes.Repeat([]byte{0xff}, 130))
	step(nil)
	step([]byte("last"))
	if _, size := j.Last(); sealed {
		frames, before = append(frames, int(size)), append(before, n)
		require.NoError(t, j.Close())
	} else {
		d.Kill()
		require.Error(t, j.Close())
	}
	return d.Files()[fileName], frames, before
}

func TestTruncatedAtEachByte(t *testing.T) {
	t.Parallel()
	for _, compacted := range []bool{false, true} {
		image, frames, before := sample(t, true, compacted)
		all, rec, after, err := read(t, image)
		require.NoError(t, err)
		require.Zero(t, rec.Cut)
		require.Equal(t, image, after)
		frames, before = append(frames, len(image)), append(before, len(all))
		for n := range image {
			entries, rec, after, err := read(t, image[:n])
			if n < frames[1] {
				require.ErrorIs(t, err, ErrDamaged, "the beginning was synced before the file had its name")
				continue
			}
			require.NoError(t, err)
			k := 0
			for frames[k+1] <= n {
				k++
			}
			require.Equal(t, all[:before[k]], append([]found{}, entries...), "cut at %d", n)
			require.EqualValues(t, frames[k], rec.Offset)
			require.EqualValues(t, n-frames[k], rec.Cut)
			again, rec, _, err := read(t, after)
			require.NoError(t, err)
			require.Zero(t, rec.Cut, "once")
			require.Equal(t, entries, again)
		}
	}
}

func TestEachBitFlipped(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		image, frames, before := sample(t, sealed, sealed)
		all, _, _, err := read(t, image)
		require.NoError(t, err)
		last := len(frames) - 1
		for bit := range len(image) * 8 {
			at := bit / 8
			image[at] ^= 1 << (bit % 8)
			entries, rec, _, err := read(t, image)
			image[at] ^= 1 << (bit % 8)
			if at < frames[last] {
				var damage *DamageError
				require.ErrorAs(t, err, &damage, "bit %d", bit)
				require.ErrorIs(t, err, ErrDamaged)
				k := 0
				for k < last && frames[k+1] <= at {
					k++
				}
				if at < headerSize {
					require.Zero(t, damage.Offset)
				} else {
					require.EqualValues(t, frames[k], damage.Offset, "bit %d", bit)
				}
				if k > 0 {
					require.EqualValues(t, frames[k+1], damage.Later)
				}
				continue
			}
			require.NoError(t, err, "the last frame might be torn")
			require.EqualValues(t, frames[last], rec.Offset)
			require.EqualValues(t, len(image)-frames[last], rec.Cut)
			require.Equal(t, all[:before[last]], entries)
			if sealed {
				require.Equal(t, all, entries, "of a journal that was closed nothing is lost unnoticed")
			}
		}
	}
}

func TestWhatFollowsTheEnd(t *testing.T) {
	t.Parallel()
	image, frames, _ := sample(t, false, false)
	other, others, _ := sample(t, true, false)
	all, _, _, err := read(t, image)
	require.NoError(t, err)
	last := frames[len(frames)-1]
	for name, tail := range map[string][]byte{
		"zeros":                   make([]byte, 100<<10),
		"ones":                    bytes.Repeat([]byte{0xff}, 1000),
		"last sector again":       image[len(image)-20:],
		"last frame again":        image[last:],
		"all again":               image,
		"frames of another":       other[others[1]:],
		"a window that straddles": append(make([]byte, 64<<10-10), image...),
	} {
		entries, rec, _, err := read(t, append(bytes.Clone(image), tail...))
		require.NoError(t, err, name)
		require.Equal(t, all, entries, name)
		require.EqualValues(t, len(tail), rec.Cut, name)
	}
	// A frame missing, twice or exchanged in the middle is damage, however far the next one is.
	second, third, fourth := image[frames[2]:frames[3]], image[frames[3]:frames[4]], image[frames[4]:]
	for name, tail := range map[string][]byte{
		"missing":   append(bytes.Clone(third), fourth...),
		"twice":     bytes.Join([][]byte{second, second, third, fourth}, nil),
		"exchanged": bytes.Join([][]byte{third, second, fourth}, nil),
		"far":       bytes.Join([][]byte{second, make([]byte, 64<<10-frameSize+1), fourth}, nil),
	} {
		_, _, _, err := read(t, append(bytes.Clone(image[:frames[2]]), tail...))
		require.ErrorIs(t, err, ErrDamaged, name)
		require.ErrorContains(t, err, "written later", name)
	}
}

// TestCloseMarksTheEnd also of what a process before left.
func TestCloseMarksTheEnd(t *testing.T) {
	t.Parallel()
	image, frames, _ := sample(t, false, false)
	all, _, closed, err := read(t, image)
	require.NoError(t, err)
	require.Len(t, closed, len(image)+frameSize)
	entries, _, again, err := read(t, closed)
	require.NoError(t, err)
	require.Equal(t, all, entries)
	require.Equal(t, closed, again, "once")
	closed[frames[len(frames)-1]+frameSize+1] ^= 1
	_, _, _, err = read(t, closed)
	require.ErrorIs(t, err, ErrDamaged)
}

func TestChain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seq   uint64
		wrong uint32 // in prev
		want  string
	}{
		{1, 0, ""},
		{1, 1, "damaged at offset 44, entry 1"}, // of another history
		{2, 0, "damaged at offset 44, entry 1"},
		{0, 0, "cut"}, // proves nothing
	} {
		image, seed := appendHeader(nil, [4]byte{9})
		image = append(image, make([]byte, frameSize)...)
		prev := finishFrame(image[headerSize:], seed, 0, 0, 0)
		frame := appendEntry(make([]byte, frameSize), []byte("a"))
		finishFrame(frame, seed, prev^tt.wrong, tt.seq, 1)
		entries, rec, _, err := read(t, append(image, frame...))
		switch tt.want {
		case "":
			require.NoError(t, err)
			require.Len(t, entries, 1)
		case "cut":
			require.NoError(t, err)
			require.EqualValues(t, len(frame), rec.Cut)
		default:
			require.ErrorContains(t, err, tt.want)
			var permanent interface{ Permanent() bool }
			require.ErrorAs(t, err, &permanent)
			require.True(t, permanent.Permanent())
		}
	}
}

// unreadable is a disk with a file that cannot be read from some offset on.
type unreadable struct {
	*durabletest.Disk
	from int64
}

type unreadableFile struct {
	durable.File
	from int64
}

func (u unreadable) Open(name string) (durable.File, error) {
	f, err := u.Disk.Open(name)
	return unreadableFile{f, u.from}, err
}

func (f unreadableFile) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(p, off)
}

func TestReadError(t *testing.T) {
	t.Parallel()
	image, _, _ := sample(t, true, false)
	image = append(image, make([]byte, 100)...)
	for from := range len(image) {
		_, err := OpenIn(unreadable{holding(image), int64(from)}, "x", Options{})
		require.ErrorIs(t, err, syscall.EIO)
		require.NotErrorIs(t, err, ErrDamaged, "it may be legible again")
	}
}

func TestFormatOfTheFuture(t *testing.T) {
	t.Parallel()
	image, _ := appendHeader(nil, [4]byte{})
	image[7]++
	_, _, _, err := read(t, image)
	require.ErrorIs(t, err, ErrDamaged, "the checksum covers the version")
	seed, ok := parseHeader(image)
	require.False(t, ok)
	image = append(image[:12], byte(seed), byte(seed>>8), byte(seed>>16), byte(seed>>24))
	_, _, _, err = read(t, image)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.NotErrorIs(t, err, ErrDamaged)
}

func TestLengthsThatContradictTheChecksum(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		count uint32
		body  string
	}{{1, "\x05abcd"}, {1, ""}, {2, "\x01a"}, {1, "\x01ab"}, {0, "\x01a"}, {1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"}, {1, "\x80"}} {
		image, seed := appendHeader(nil, [4]byte{1, 2, 3, 4})
		image = append(image, make([]byte, frameSize)...)
		prev := finishFrame(image[headerSize:], seed, 0, 0, 0)
		frame := append(make([]byte, frameSize), tt.body...)
		finishFrame(frame, seed, prev, 1, tt.count)
		_, _, _, err := read(t, append(image, frame...))
		require.ErrorIs(t, err, ErrDamaged, "%q", tt.body)
	}
}

// FuzzImage reads anything.
func FuzzImage(f *testing.F) {
	for _, sealed := range []bool{false, true} {
		image, _, _ := sample(f, sealed, sealed)
		f.Add(image)
		f.Add(image[:len(image)-3])
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		entries, _, after, err := read(t, image)
		if err != nil {
			return
		}
		again, rec, _, err := read(t, after)
		require.NoError(t, err)
		require.Zero(t, rec.Cut)
		require.Equal(t, entries, again)
	})
}

// FuzzSplice replaces a part of a journal: what is read then is a part from its beginning, and all of it unless the splice
// reached the last frame.
func FuzzSplice(f *testing.F) {
	f.Add(true, uint16(60), uint16(9), []byte("abc"))
	f.Add(false, uint16(200), uint16(0), make([]byte, 40))
	f.Fuzz(func(t *testing.T, sealed bool, at, cut uint16, with []byte) {
		image, frames, before := sample(t, sealed, sealed)
		all, _, _, err := read(t, image)
		require.NoError(t, err)
		from := int(at) % (len(image) + 1)
		to := from + int(cut)%(len(image)-from+1)
		spliced := bytes.Join([][]byte{image[:from], with, image[to:]}, nil)
		entries, _, _, err := read(t, spliced)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(entries), len(all))
		require.Equal(t, all[:len(entries)], append([]found{}, entries...))
		if last := len(frames) - 1; to < frames[last] {
			require.GreaterOrEqual(t, len(entries), before[last])
		}
	})
}

// FuzzEntries cuts a body into entries.
func FuzzEntries(f *testing.F) {
	f.Add([]byte("\x05hello\x00\x01a"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var again []byte
		for rest := body; len(rest) > 0; {
			p, next, ok := cutEntry(rest)
			if !ok {
				return
			}
			require.Less(t, len(next), len(rest))
			again, rest = appendEntry(again, p), next
		}
		require.LessOrEqual(t, len(again), len(body), "a length may be written longer than needed")
	})
}

func TestBodyRoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var want [][]byte
		var body []byte
		for range r.IntN(9) {
			p := make([]byte, r.IntN(300))
			want, body = append(want, p), appendEntry(body, p)
		}
		for _, p := range want {
			got, rest, ok := cutEntry(body)
			require.True(t, ok)
			require.Equal(t, p, got)
			body = rest
		}
		require.Empty(t, body)
	}
}
