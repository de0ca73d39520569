package modelfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bounds of what is kept of a pickle. Strings that are longer are no names of modules.
const (
	maxStack = 1 << 21  // values on the stack, and in the memo
	maxText  = 512      // bytes of a string
	maxTexts = 64 << 20 // bytes of all strings; later ones are as good as computed
	maxLine  = 1 << 20  // bytes of an argument that ends with a line
)

// value is what the machine knows of a Python object: whether it is a string, and which; whether it is a mark.
type value struct {
	kind valueKind
	text string
}

type valueKind uint8

const (
	object valueKind = iota
	mark
	text
)

// argument is what follows an opcode.
type argument uint8

const (
	none    argument = iota
	fixed            // effect.n bytes
	line             // up to a line end
	lines            // two of them
	counted          // a length of effect.n bytes, and so many bytes
)

// effect of an opcode on the stack: first it removes, down to the last mark or so many values, then it adds one object.
type effect struct {
	arg     argument
	n       int
	toMark  bool
	removes int
	adds    bool
	leaves  bool // the value below what is removed has to be there
	isText  bool // adds a string: the argument
}

// effects of the opcodes that need no code of their own (Python's pickletools has the list).
var effects = map[byte]effect{
	'1': {toMark: true}, 'N': {adds: true}, 0x88: {adds: true}, 0x89: {adds: true},
	'F': {arg: line, adds: true}, 'I': {arg: line, adds: true}, 'L': {arg: line, adds: true},
	'J': {arg: fixed, n: 4, adds: true}, 'K': {arg: fixed, n: 1, adds: true}, 'M': {arg: fixed, n: 2, adds: true}, 'G': {arg: fixed, n: 8, adds: true},
	0x8a: {arg: counted, n: 1, adds: true}, 0x8b: {arg: counted, n: 4, adds: true},
	'S': {arg: line, adds: true, isText: true}, 'V': {arg: line, adds: true, isText: true},
	'T': {arg: counted, n: 4, adds: true, isText: true}, 'U': {arg: counted, n: 1, adds: true, isText: true},
	'X': {arg: counted, n: 4, adds: true, isText: true}, 0x8c: {arg: counted, n: 1, adds: true, isText: true}, 0x8d: {arg: counted, n: 8, adds: true, isText: true},
	'B': {arg: counted, n: 4, adds: true, isText: true}, 'C': {arg: counted, n: 1, adds: true, isText: true},
	0x8e: {arg: counted, n: 8, adds: true, isText: true}, 0x96: {arg: counted, n: 8, adds: true},
	'P': {arg: line, adds: true}, 'Q': {removes: 1, adds: true},
	'R': {removes: 2, adds: true}, 'b': {removes: 1, leaves: true}, 0x81: {removes: 2, adds: true}, 0x92: {removes: 3, adds: true},
	'a': {removes: 1, leaves: true}, 'e': {toMark: true, leaves: true}, 's': {removes: 2, leaves: true}, 'u': {toMark: true, leaves: true}, 0x90: {toMark: true, leaves: true},
	'd': {toMark: true, adds: true}, 'l': {toMark: true, adds: true}, 't': {toMark: true, adds: true}, 0x91: {toMark: true, adds: true}, 'o': {toMark: true, adds: true},
	'}': {adds: true}, ']': {adds: true}, ')': {adds: true}, 0x8f: {adds: true},
	0x85: {removes: 1, adds: true}, 0x86: {removes: 2, adds: true}, 0x87: {removes: 3, adds: true},
	0x95: {arg: fixed, n: 8}, 0x97: {adds: true}, 0x98: {removes: 1, adds: true},
}

// pickler follows a pickle as Python would run it, but for the calls, to see what it imports.
type pickler struct {
	in    *inspection
	path  string
	r     *bufio.Reader
	pos   int64
	stack []value
	memo  map[uint64]value
	magic bool // it is nothing but the number that older files of torch begin with
	ops   int
	texts int // bytes of strings so far
}

// torchMagic is the first object of a file in the older format of torch.
var torchMagic = []byte{0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19}

var errEnd = errors.New("the file ends within it")

// pickles judges the pickles that stand one behind the other.
func (in *inspection) pickles(path string, r io.Reader) {
	p := &pickler{in: in, path: path, r: bufio.NewReaderSize(r, 64<<10)}
	legacy := false
	for n := 1; ; n++ {
		p.stack, p.memo, p.ops, p.magic = p.stack[:0], map[uint64]value{}, 0, false
		start := p.pos
		if err := p.run(); err != nil {
			if first, _ := p.head(start); n == 1 && path == "" && first != 0x80 {
				in.problem("format", CodeUnknown, "", "a format that is known")
				return
			}
			in.format(path, Pickle)
			in.problem(p.at(), CodeStructure, err.Error(), "a pickle that Python can load")
			return
		}
		if n == 1 && p.magic {
			legacy = true
		}
		in.format(path, Pickle)
		if legacy {
			in.format(path, TorchLegacy)
			if n == 5 { // what follows are the bytes of the storages
				return
			}
		}
		next, err := p.r.Peek(1)
		if err != nil {
			if legacy {
				in.problem(p.at(), CodeStructure, fmt.Sprintf("%d pickles", n), "five in this format")
			}
			return
		}
		if !legacy && next[0] != 0x80 {
			in.problem(p.at(), CodeTrailing, "", "the end of the file")
			return
		}
	}
}

// head returns the byte of the file at an offset.
func (p *pickler) head(at int64) (byte, error) {
	var b [1]byte
	_, err := p.in.r.ReadAt(b[:], at)
	return b[0], err
}

func (in *inspection) format(path string, f Format) {
	if path == "" {
		in.report.Format = f
	}
}

func (p *pickler) at() string {
	name := "pickle"
	if p.path != "" {
		name = p.path
	}
	return fmt.Sprintf("%s at %d", name, p.pos)
}

// run follows one pickle up to its end.
func (p *pickler) run() error {
	for {
		op, err := p.r.ReadByte()
		if err != nil {
			return errEnd
		}
		p.pos++
		p.ops++
		if op == '.' {
			_, err := p.top()
			p.magic = p.magic && p.ops == 3
			return err
		}
		if err := p.step(op); err != nil {
			return err
		}
		if len(p.stack) > maxStack || len(p.memo) > maxStack {
			return fmt.Errorf("more than %d values at once", maxStack)
		}
	}
}

func (p *pickler) step(op byte) error {
	if e, ok := effects[op]; ok {
		return p.apply(op, e)
	}
	switch op {
	case 0x80: // PROTO
		arg, err := p.bytes(1)
		if err != nil {
			return err
		}
		if arg[0] > 5 {
			return fmt.Errorf("protocol %d", arg[0])
		}
	case '0': // POP, of a mark too
		if len(p.stack) == 0 {
			return errors.New("a value is missing")
		}
		p.stack = p.stack[:len(p.stack)-1]
	case '(':
		p.push(value{kind: mark})
	case '2': // DUP
		top, err := p.top()
		if err != nil {
			return err
		}
		p.push(top)
	case 'c': // GLOBAL
		module, name, err := p.twoLines()
		if err != nil {
			return err
		}
		p.in.imported(p.at(), module, name)
		p.push(value{})
	case 'i': // INST
		module, name, err := p.twoLines()
		if err != nil {
			return err
		}
		p.in.imported(p.at(), module, name)
		return p.apply(op, effect{toMark: true, adds: true})
	case 0x93: // STACK_GLOBAL
		if len(p.stack) < 2 {
			return errors.New("a value is missing")
		}
		module, name := p.stack[len(p.stack)-2], p.stack[len(p.stack)-1]
		if module.kind == mark || name.kind == mark {
			return errors.New("a value is missing")
		}
		if module.kind != text || name.kind != text {
			p.in.problem(p.at(), CodeImport, "", "an import of a name that the file states, not one that is computed")
		} else {
			p.in.imported(p.at(), module.text, name.text)
		}
		p.stack = append(p.stack[:len(p.stack)-2], value{})
	case 0x82, 0x83, 0x84: // EXT1, EXT2, EXT4
		if _, err := p.bytes(1 << (op - 0x82)); err != nil {
			return err
		}
		p.in.problem(p.at(), CodeImport, "an extension", "an import by name")
		p.push(value{})
	case 'p', 'q', 'r', 0x94: // PUT, BINPUT, LONG_BINPUT, MEMOIZE
		key, err := p.key(op)
		if err != nil {
			return err
		}
		top, err := p.top()
		if err != nil {
			return err
		}
		p.memo[key] = top
	case 'g', 'h', 'j': // GET, BINGET, LONG_BINGET
		key, err := p.key(op)
		if err != nil {
			return err
		}
		v, ok := p.memo[key]
		if !ok {
			return fmt.Errorf("value %d is not in the memo", key)
		}
		p.push(v)
	default:
		return fmt.Errorf("unknown opcode 0x%02x", op)
	}
	return nil
}

func (p *pickler) push(v value) { p.stack = append(p.stack, v) }

func (p *pickler) top() (value, error) {
	if n := len(p.stack); n > 0 && p.stack[n-1].kind != mark {
		return p.stack[n-1], nil
	}
	return value{}, errors.New("a value is missing")
}

func (p *pickler) apply(op byte, e effect) error {
	added := value{}
	var arg []byte
	var err error
	switch e.arg {
	case fixed:
		arg, err = p.bytes(e.n)
	case line:
		arg, err = p.line()
	case counted:
		arg, err = p.counted(e.n)
	}
	if err != nil {
		return err
	}
	if p.texts += len(arg); e.isText && arg != nil && p.texts <= maxTexts {
		added = value{text, unquote(op, arg)}
	}
	p.magic = op == 0x8a && p.ops == 2 && bytes.Equal(arg, torchMagic)
	n := len(p.stack)
	switch {
	case e.toMark:
		for n--; n >= 0 && p.stack[n].kind != mark; n-- {
		}
		if n < 0 {
			return errors.New("a mark is missing")
		}
	default:
		for range e.removes {
			if n--; n < 0 || p.stack[n].kind == mark {
				return errors.New("a value is missing")
			}
		}
	}
	p.stack = p.stack[:n]
	if e.leaves && (n == 0 || p.stack[n-1].kind == mark) {
		return errors.New("a value is missing")
	}
	if e.adds {
		p.push(added)
	}
	return nil
}

// unquote returns the string of an argument. What Python would read otherwise than this does is no name on any list.
func unquote(op byte, arg []byte) string {
	s := string(arg)
	switch op {
	case 'S':
		s = strings.TrimSpace(s)
		if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] {
			s = s[1 : len(s)-1]
		}
		if strings.Contains(s, `\`) {
			return "?" + s
		}
	case 'V':
		if strings.Contains(s, `\`) {
			return "?" + s
		}
	}
	return s
}

// bytes reads n bytes, which stay valid until the next call.
func (p *pickler) bytes(n int) ([]byte, error) {
	b, err := p.r.Peek(n)
	if err != nil {
		return nil, errEnd
	}
	p.skip(n)
	return b, nil
}

func (p *pickler) skip(n int) {
	_, _ = p.r.Discard(n) // it was there
	p.pos += int64(n)
}

// line reads a line without its end.
func (p *pickler) line() ([]byte, error) {
	var long []byte
	for {
		part, err := p.r.ReadSlice('\n')
		p.pos += int64(len(part))
		if err == nil && long == nil {
			return part[:len(part)-1], nil
		}
		long = append(long, part...)
		switch {
		case err == nil:
			return long[:len(long)-1], nil
		case err != bufio.ErrBufferFull:
			return nil, errEnd
		case len(long) > maxLine:
			return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
	}
}

func (p *pickler) twoLines() (module, name string, err error) {
	a, err := p.line()
	if err != nil {
		return "", "", err
	}
	module = string(a)
	b, err := p.line()
	return module, string(b), err
}

// counted reads the length and the bytes behind it, and returns these unless they are many.
func (p *pickler) counted(n int) ([]byte, error) {
	b, err := p.bytes(n)
	if err != nil {
		return nil, err
	}
	var word [8]byte
	copy(word[:], b)
	size := binary.LittleEndian.Uint64(word[:])
	if size <= maxText {
		return p.bytes(int(size))
	}
	if size > 1<<62 {
		return nil, errEnd
	}
	skipped, err := io.CopyN(io.Discard, p.r, int64(size))
	p.pos += skipped
	if err != nil {
		return nil, errEnd
	}
	return nil, nil
}

// key reads the place in the memo that an opcode names.
func (p *pickler) key(op byte) (uint64, error) {
	switch op {
	case 0x94:
		return uint64(len(p.memo)), nil
	case 'q', 'h':
		b, err := p.bytes(1)
		if err != nil {
			return 0, err
		}
		return uint64(b[0]), nil
	case 'r', 'j':
		b, err := p.bytes(4)
		if err != nil {
			return 0, err
		}
		return uint64(binary.LittleEndian.Uint32(b)), nil
	}
	b, err := p.line()
	if err != nil {
		return 0, err
	}
	key, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("memo key %.40q", b)
	}
	return key, nil
}
