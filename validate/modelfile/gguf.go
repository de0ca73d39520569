package modelfile

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/surefoot-ml/surefoot/validate"
)

// ggufType is a type of tensor: so many elements take so many bytes.
type ggufType struct {
	name        string
	size, block uint64
}

// ggufTypes by their numbers (ggml.h).
var ggufTypes = map[uint32]ggufType{
	0: {"F32", 4, 1}, 1: {"F16", 2, 1}, 2: {"Q4_0", 18, 32}, 3: {"Q4_1", 20, 32}, 6: {"Q5_0", 22, 32}, 7: {"Q5_1", 24, 32}, 8: {"Q8_0", 34, 32},
	10: {"Q2_K", 84, 256}, 11: {"Q3_K", 110, 256}, 12: {"Q4_K", 144, 256}, 13: {"Q5_K", 176, 256}, 14: {"Q6_K", 210, 256}, 15: {"Q8_K", 292, 256},
	24: {"I8", 1, 1}, 25: {"I16", 2, 1}, 26: {"I32", 4, 1}, 27: {"I64", 8, 1}, 28: {"F64", 8, 1}, 30: {"BF16", 2, 1},
}

const (
	maxGGUFText = 16 << 20 // bytes of a string
	maxNames    = 1 << 17  // tensors, and keys
	maxGGUFName = 1024     // bytes of a name
)

// ggufReader reads the header of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
type ggufReader struct {
	in  *inspection
	r   *bufio.Reader
	pos uint64
	err error // the first one
}

func (in *inspection) gguf() {
	g := &ggufReader{in: in, r: bufio.NewReaderSize(io.NewSectionReader(in.r, 4, in.size-4), 64<<10), pos: 4}
	if err := g.read(); err != nil {
		in.problem(fmt.Sprintf("header at %d", g.pos), CodeStructure, shown(err.Error()), "what GGUF says")
	}
}

func (g *ggufReader) word(n int) uint64 {
	var b [8]byte
	if g.err == nil {
		if _, err := io.ReadFull(g.r, b[:n]); err != nil {
			g.err = errEnd
		}
		g.pos += uint64(n)
	}
	return binary.LittleEndian.Uint64(b[:])
}

// text reads a string of which at most limit bytes are kept.
func (g *ggufReader) text(limit uint64) string {
	size := g.word(8)
	if g.err == nil && size > limit {
		g.err = fmt.Errorf("a string of %d bytes, at most %d", size, limit)
	}
	if g.err != nil {
		return ""
	}
	if size > uint64(g.in.size) {
		g.err = errEnd
		return ""
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(g.r, b); err != nil {
		g.err = errEnd
	}
	g.pos += size
	return string(b)
}

func (g *ggufReader) read() error {
	if v := g.word(4); g.err == nil && v != 2 && v != 3 {
		return fmt.Errorf("version %d", v)
	}
	tensors, keys := g.word(8), g.word(8)
	if g.err == nil && (tensors > maxNames || keys > maxNames) {
		return fmt.Errorf("%d tensors and %d keys, at most %d", tensors, keys, maxNames)
	}
	align := uint64(32)
	names := map[string]bool{}
	for range keys {
		key := g.text(maxGGUFName)
		kind := uint32(g.word(4))
		if g.err == nil && names[key] {
			g.in.problem("key "+shown(key), CodeDuplicate, "", "there once")
		}
		names[key] = true
		if key == "general.alignment" && kind == 4 {
			align = g.word(4)
			if g.err == nil && (align == 0 || align%8 != 0 || align > 1<<20) {
				return fmt.Errorf("alignment %d", align)
			}
			continue
		}
		if strings.HasPrefix(key, "tokenizer.chat_template") {
			g.in.warn("key "+shown(key), CodeCode, "", "run in a sandbox: it is a template, which is a program")
		}
		g.value(kind, 0)
		if g.err != nil {
			return g.err
		}
	}
	var all []span
	names = map[string]bool{}
	for range tensors {
		t := Tensor{Name: g.text(maxGGUFName)}
		dims := g.word(4)
		if g.err == nil && dims > 8 {
			return fmt.Errorf("%d dimensions", dims)
		}
		for range dims {
			d := g.word(8)
			if g.err == nil && d > 1<<62 {
				return fmt.Errorf("a dimension of %d", d)
			}
			t.Shape = append(t.Shape, int64(d))
		}
		number, offset := uint32(g.word(4)), g.word(8)
		if g.err != nil {
			return g.err
		}
		if names[t.Name] {
			g.in.problem("tensor "+shown(t.Name), CodeDuplicate, "", "there once")
		}
		names[t.Name] = true
		t.Name = shown(t.Name)
		path := "tensor " + t.Name
		values, ok := product(t.Shape)
		kind, known := ggufTypes[number]
		if !ok {
			g.in.problem(path, validate.CodeRange, fmt.Sprint(t.Shape), "a shape of less than 2^62 elements")
			continue
		}
		if !known {
			kind = ggufType{fmt.Sprintf("type %d", number), 0, 1}
			g.in.warn(path, validate.CodeChoice, kind.name, "a known type: its size was not checked")
		}
		t.Type = kind.name
		high, size := bits.Mul64(values/kind.block, kind.size)
		if high > 0 || size > 1<<62 || values%kind.block != 0 {
			g.in.problem(path, CodeStructure, fmt.Sprint(t.Shape), "whole blocks of "+kind.name)
			continue
		}
		t.Bytes = int64(size)
		if offset%align != 0 || offset > 1<<62 {
			g.in.problem(path, CodeStructure, fmt.Sprintf("at %d", offset), fmt.Sprintf("at a multiple of %d", align))
			continue
		}
		g.in.tensor(t, int64(values))
		all = append(all, span{offset, offset + size, t.Name})
	}
	if g.err != nil {
		return g.err
	}
	begin := (g.pos + align - 1) / align * align
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	end := uint64(0)
	for _, s := range all {
		if s.from < end {
			g.in.problem("tensor "+s.name, CodeStructure, fmt.Sprintf("at %d", s.from), fmt.Sprintf("at %d or later, behind the one before", end))
		}
		if end = max(end, s.to); begin+s.to > uint64(g.in.size) {
			g.in.problem("tensor "+s.name, CodeStructure, fmt.Sprintf("up to %d", begin+s.to), fmt.Sprintf("within the %d bytes of the file", g.in.size))
		}
	}
	return nil
}

// value skips a value of a key.
func (g *ggufReader) value(kind uint32, depth int) {
	sizes := [...]int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}
	switch {
	case kind >= uint32(len(sizes)):
		g.err = cmp.Or(g.err, fmt.Errorf("type %d of a value", kind))
	case kind == 8:
		g.text(maxGGUFText)
	case kind == 9:
		of, n := uint32(g.word(4)), g.word(8)
		if depth == 4 {
			g.err = cmp.Or(g.err, errors.New("lists nested too deep"))
		}
		if n > uint64(g.in.size) { // each takes a byte at least
			g.err = cmp.Or(g.err, errEnd)
		}
		for i := uint64(0); i < n && g.err == nil; i++ {
			g.value(of, depth+1)
		}
	default:
		g.word(sizes[kind])
	}
}
