package modelfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/validate"
)

// maxHeader is the largest header that readers of safetensors take, in bytes.
const maxHeader = 100_000_000

// safetensorBits are the types of https://github.com/huggingface/safetensors, with their sizes.
var safetensorBits = map[string]uint64{
	"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
	"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}

// safetensors judges a file of 8 bytes that say how long the header is, the header in JSON, and the tensors, which have to
// fill the rest of the file without holes.
func (in *inspection) safetensors() {
	var word [8]byte
	if _, err := in.r.ReadAt(word[:], 0); err != nil {
		in.problem("header", CodeStructure, "", "8 bytes that say its length")
		return
	}
	size := binary.LittleEndian.Uint64(word[:])
	switch {
	case size > maxHeader:
		in.problem("header", CodeLimit, strconv.FormatUint(size, 10), fmt.Sprintf("at most %d bytes", maxHeader))
		return
	case size > uint64(in.size-8):
		in.problem("header", CodeStructure, strconv.FormatUint(size, 10), fmt.Sprintf("at most the %d bytes that follow", in.size-8))
		return
	}
	header := make([]byte, size)
	if _, err := in.r.ReadAt(header, 8); err != nil {
		return // not the end of the file: that was checked
	}
	if !utf8.Valid(header) {
		in.problem("header", CodeStructure, "", "UTF-8")
		return
	}
	h := safeHeader{in: in, dec: json.NewDecoder(bytes.NewReader(header))}
	h.dec.UseNumber()
	if err := h.read(); err != nil {
		in.problem("header", CodeStructure, shown(err.Error()), "JSON of the form that safetensors has")
		return
	}
	h.fill(in.size - 8 - int64(size))
}

type safeHeader struct {
	in    *inspection
	dec   *json.Decoder
	spans []span
}

// span is where a tensor lies, and how much its shape takes.
type span struct {
	from, to uint64
	name     string
}

func (h *safeHeader) read() error {
	if err := h.object(func(key string) error {
		if key == "__metadata__" {
			return h.object(func(string) error {
				_, err := h.text()
				return err
			})
		}
		return h.tensor(key)
	}); err != nil {
		return err
	}
	if _, err := h.dec.Token(); err != io.EOF {
		return errors.New("something follows it")
	}
	return nil
}

// object reads an object whose names differ, calling f for each value.
func (h *safeHeader) object(f func(key string) error) error {
	if err := h.delim('{'); err != nil {
		return err
	}
	names := map[string]bool{}
	for h.dec.More() {
		key, err := h.text()
		if err != nil {
			return err
		}
		if names[key] {
			h.in.problem("header", CodeDuplicate, shown(key), "a name that is there once")
		}
		if len(names) == maxNames {
			return fmt.Errorf("more than %d names", maxNames)
		}
		names[key] = true
		if err := f(key); err != nil {
			return err
		}
	}
	return h.delim('}')
}

func (h *safeHeader) delim(want json.Delim) error {
	t, err := h.dec.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v at %d, want %v", t, h.dec.InputOffset(), want)
	}
	return nil
}

func (h *safeHeader) text() (string, error) {
	t, err := h.dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%v at %d, want a string", t, h.dec.InputOffset())
	}
	return s, nil
}

// numbers reads a list of whole numbers.
func (h *safeHeader) numbers() (list []int64, err error) {
	if err := h.delim('['); err != nil {
		return nil, err
	}
	for h.dec.More() {
		t, err := h.dec.Token()
		if err != nil {
			return nil, err
		}
		n, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v at %d, want a number", t, h.dec.InputOffset())
		}
		v, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("%s at %d, want a whole number of at least 0", n, h.dec.InputOffset())
		}
		if list = append(list, v); len(list) > 64 {
			return nil, fmt.Errorf("more than 64 numbers at %d", h.dec.InputOffset())
		}
	}
	return list, h.delim(']')
}

func (h *safeHeader) tensor(name string) error {
	t := Tensor{Name: shown(name)}
	var offsets []int64
	has := 0
	err := h.object(func(key string) (err error) {
		switch key {
		case "dtype":
			t.Type, err = h.text()
		case "shape":
			t.Shape, err = h.numbers()
		case "data_offsets":
			offsets, err = h.numbers()
		default:
			return fmt.Errorf("%.80q in a tensor", key)
		}
		has++
		return err
	})
	path := "tensor " + t.Name
	switch {
	case err != nil:
		return err
	case has != 3:
		return fmt.Errorf("tensor %.80q does not have dtype, shape and data_offsets", name)
	case len(offsets) != 2 || offsets[0] > offsets[1]:
		h.in.problem(path, CodeStructure, fmt.Sprint(offsets), "a begin and an end")
		return nil
	}
	bitsEach, known := safetensorBits[t.Type]
	if !known {
		h.in.problem(path, validate.CodeChoice, shown(t.Type), "a known type")
		bitsEach = 0
	}
	t.Bytes = offsets[1] - offsets[0]
	values, ok := product(t.Shape)
	high, all := bits.Mul64(values, bitsEach)
	if known && (!ok || high > 0 || all%8 != 0 || all/8 != uint64(t.Bytes)) {
		h.in.problem(path, CodeStructure, fmt.Sprintf("%d bytes", t.Bytes), fmt.Sprintf("what %s %v takes", t.Type, t.Shape))
		values = 0
	}
	h.in.tensor(t, int64(values))
	h.spans = append(h.spans, span{uint64(offsets[0]), uint64(offsets[1]), t.Name})
	return nil
}

// product returns how many elements a shape has; it is false beyond 2^62.
func product(shape []int64) (uint64, bool) {
	n, ok := uint64(1), true
	for _, d := range shape {
		if d == 0 {
			return 0, true
		}
		high, low := bits.Mul64(n, uint64(d))
		if n = low; high > 0 || n > 1<<62 {
			n, ok = 1, false
		}
	}
	return n, ok
}

// fill checks that the tensors cover size bytes, each byte once.
func (h *safeHeader) fill(size int64) {
	slices.SortFunc(h.spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	end := uint64(0)
	for _, s := range h.spans {
		if s.from != end {
			h.in.problem("tensor "+s.name, CodeStructure, fmt.Sprintf("at %d", s.from), fmt.Sprintf("at %d, behind the one before", end))
		}
		end = max(end, s.to)
	}
	if end != uint64(size) {
		h.in.problem("tensors", CodeStructure, fmt.Sprintf("%d bytes", end), fmt.Sprintf("the %d bytes of the file", size))
	}
}
