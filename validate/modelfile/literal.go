package modelfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// literal is a value of Python as the header of a numpy array has it: a string, an int64, a bool, a []literal, or a
// map[string]literal.
type literal any

// literalParser reads a Python literal. Strings with escapes are refused: numpy writes none.
type literalParser struct {
	text string
	deep int
}

var errLiteral = errors.New("not a Python literal of strings, numbers, tuples and lists")

func parseLiteral(text string) (literal, error) {
	p := literalParser{text: text}
	v, err := p.value()
	if err == nil && p.peek() != 0 {
		err = errors.New("something follows the value")
	}
	return v, err
}

// peek returns the next byte that is no white space, or 0.
func (p *literalParser) peek() byte {
	p.text = strings.TrimLeft(p.text, " \t\n\r")
	if p.text == "" {
		return 0
	}
	return p.text[0]
}

func (p *literalParser) take(prefix string) bool {
	p.peek()
	rest, ok := strings.CutPrefix(p.text, prefix)
	if ok {
		p.text = rest
	}
	return ok
}

func (p *literalParser) value() (literal, error) {
	if p.deep++; p.deep > 16 {
		return nil, errors.New("nested too deep")
	}
	defer func() { p.deep-- }()
	switch c := p.peek(); {
	case c == '\'' || c == '"':
		return p.str()
	case '0' <= c && c <= '9':
		n := len(p.text) - len(strings.TrimLeft(p.text, "0123456789"))
		v, err := strconv.ParseInt(p.text[:n], 10, 64)
		p.text = p.text[n:]
		p.take("L") // of Python 2
		return v, err
	case c == '(':
		return p.list("(", ")")
	case c == '[':
		return p.list("[", "]")
	case c == '{':
		return p.dict()
	case p.take("True"):
		return true, nil
	case p.take("False"):
		return false, nil
	}
	return nil, errLiteral
}

func (p *literalParser) str() (string, error) {
	quote := p.text[:1]
	s, rest, ok := strings.Cut(p.text[1:], quote)
	if !ok || strings.ContainsAny(s, "\\\n") {
		return "", errLiteral
	}
	p.text = rest
	return s, nil
}

func (p *literalParser) list(from, to string) (list []literal, _ error) {
	p.take(from)
	list = []literal{}
	for !p.take(to) {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		if list = append(list, v); !p.take(",") && p.peek() != to[0] {
			return nil, errLiteral
		}
	}
	return list, nil
}

func (p *literalParser) dict() (map[string]literal, error) {
	p.take("{")
	dict := map[string]literal{}
	for !p.take("}") {
		if c := p.peek(); c != '\'' && c != '"' {
			return nil, errLiteral
		}
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		if _, twice := dict[key]; twice || !p.take(":") {
			return nil, fmt.Errorf("key %.40q twice, or without a value", key)
		}
		if dict[key], err = p.value(); err != nil {
			return nil, err
		}
		if !p.take(",") && p.peek() != '}' {
			return nil, errLiteral
		}
	}
	return dict, nil
}
