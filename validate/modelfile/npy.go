package modelfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"regexp"
	"strconv"

	"github.com/surefoot-ml/surefoot/validate"
)

// maxNPYHeader is what numpy reads of a header by default, in bytes.
const maxNPYHeader = 10_000

// npy judges an array of size bytes: a header, which is a Python dictionary, and the elements, which are a pickle if they
// are objects.
func (in *inspection) npy(path string, r io.Reader, size int64) {
	where := path
	if where == "" {
		where = "array"
	}
	bad := func(value, limit string) { in.problem(where, CodeStructure, value, limit) }
	var head [12]byte
	if _, err := io.ReadFull(r, head[:10]); err != nil {
		bad("", "a header")
		return
	}
	length, begin := int64(binary.LittleEndian.Uint16(head[8:])), int64(10)
	switch head[6] {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(r, head[10:]); err != nil {
			bad("", "a header")
			return
		}
		length, begin = int64(binary.LittleEndian.Uint32(head[8:])), 12
	default:
		bad(fmt.Sprintf("version %d", head[6]), "version 1, 2 or 3")
		return
	}
	if length > maxNPYHeader {
		in.problem(where, CodeLimit, fmt.Sprintf("a header of %d bytes", length), fmt.Sprintf("at most %d", maxNPYHeader))
		return
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		bad("", "a whole header")
		return
	}
	kind, shape, err := parseNPYHeader(string(text))
	if err != nil {
		bad(shown(err.Error()), "a dictionary with descr, fortran_order and shape")
		return
	}
	values, ok := product(shape)
	if !ok {
		in.problem(where, validate.CodeRange, fmt.Sprint(shape), "a shape of less than 2^62 elements")
		return
	}
	t := Tensor{Name: shown(path), Type: shown(kind.name), Shape: shape, Bytes: size - begin - length}
	if kind.objects {
		in.warn(where, CodeCode, t.Type, "a type without objects: these are a pickle")
		in.pickles(where, r)
	} else if high, all := bits.Mul64(values, kind.size); high > 0 || all != uint64(t.Bytes) {
		bad(fmt.Sprintf("%d bytes", t.Bytes), fmt.Sprintf("what %s %v takes", t.Type, shape))
		return
	}
	in.tensor(t, int64(values))
}

// parseNPYHeader reads the one dictionary that numpy writes.
func parseNPYHeader(text string) (t npyType, shape []int64, err error) {
	v, err := parseLiteral(text)
	if err != nil {
		return t, nil, err
	}
	dict, _ := v.(map[string]literal)
	_, isBool := dict["fortran_order"].(bool)
	dims, isList := dict["shape"].([]literal)
	if len(dict) != 3 || !isBool || !isList || len(dims) > 64 {
		return t, nil, errors.New("other keys, or values of other types")
	}
	shape = []int64{}
	for _, d := range dims {
		n, ok := d.(int64)
		if !ok {
			return t, nil, errors.New("a shape that is not made of numbers")
		}
		shape = append(shape, n)
	}
	t, err = parseNPYType(dict["descr"])
	return t, shape, err
}

// npyType is what an element is.
type npyType struct {
	name    string
	size    uint64 // in bytes
	objects bool
}

// simpleType is a type of one number or string in the notation of numpy.
var simpleType = regexp.MustCompile(`^[<>|=]?([biufcSUVmMO?])(\d{0,9})(\[[0-9A-Za-z/]*\])?$`)

func parseNPYType(v literal) (t npyType, err error) {
	switch v := v.(type) {
	case string:
		m := simpleType.FindStringSubmatch(v)
		if m == nil {
			return t, fmt.Errorf("type %.40q", v)
		}
		t = npyType{v, 1, m[1] == "O"}
		if m[2] != "" {
			t.size, _ = strconv.ParseUint(m[2], 10, 64) // at most 9 digits
		}
		if m[1] == "U" {
			t.size *= 4
		}
		return t, nil
	case []literal: // of fields: (name, type) or (name, type, shape)
		t.name = fmt.Sprintf("%d fields", len(v))
		for _, f := range v {
			field, _ := f.([]literal)
			if len(field) < 2 || len(field) > 3 {
				return t, errors.New("a field that is not a name, a type and a shape")
			}
			part, err := parseNPYType(field[1])
			if err != nil {
				return t, err
			}
			t.objects = t.objects || part.objects
			times := uint64(1)
			if len(field) == 3 {
				if times, err = fieldSize(field[2]); err != nil {
					return t, err
				}
			}
			high, size := bits.Mul64(part.size, times)
			if t.size += size; high > 0 || size > 1<<40 || t.size > 1<<40 {
				return t, errors.New("a field of more than a terabyte")
			}
		}
		return t, nil
	}
	return t, errors.New("a type that is neither a string nor a list of fields")
}

func fieldSize(v literal) (uint64, error) {
	if n, ok := v.(int64); ok {
		v = []literal{n}
	}
	list, _ := v.([]literal)
	shape := []int64{}
	for _, d := range list {
		n, ok := d.(int64)
		if !ok {
			return 0, errors.New("a field whose shape is not made of numbers")
		}
		shape = append(shape, n)
	}
	n, ok := product(shape)
	if !ok || list == nil {
		return 0, errors.New("a field without a shape")
	}
	return n, nil
}
