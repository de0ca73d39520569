package parquet

import (
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// node is a field of a schema.
type node struct {
	name     string
	key      []byte // the name as JSON, with a colon
	repeated bool
	optional bool
	list     bool // a group around a repeated field, whose list is shown for it
	wraps    bool // a group that repeats in a list: its one field is shown for it
	def, rep int  // levels at which there is a value, and at which another one begins
	children []*node
	first    int // leaves of it: from first on
	leaves   int

	kind    parquet.Kind
	logical format.LogicalTypeValue // nil if there is none
	scale   int
}

const maxDepth = 64

func newNode(root *parquet.Column, limits Limits) (*node, error) {
	b := builder{limits: limits}
	n, err := b.build(root, 0, 0, 0)
	if err != nil {
		return nil, err
	}
	n.repeated, n.optional = false, false
	return n, nil
}

type builder struct {
	limits Limits
	leaves int
}

func (b *builder) build(c *parquet.Column, def, rep, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: columns nested more than %d deep", ErrTooLarge, maxDepth)
	}
	n := &node{name: c.Name(), repeated: c.Repeated(), optional: c.Optional(), first: b.leaves}
	n.key = append(appendString(nil, []byte(c.Name())), ':')
	if depth > 0 {
		if n.repeated {
			rep++
		}
		if n.repeated || n.optional {
			def++
		}
	}
	n.def, n.rep = def, rep
	if c.Leaf() {
		b.leaves++
		if b.leaves > b.limits.Columns {
			return nil, fmt.Errorf("%w: more than %d columns", ErrTooLarge, b.limits.Columns)
		}
		n.leaves, n.kind = 1, c.Type().Kind()
		if t := c.Type().LogicalType(); t != nil {
			n.logical = t.Value
			if d, ok := t.Value.(*format.DecimalType); ok {
				n.scale = int(d.Scale)
			}
		}
		return n, nil
	}
	names := map[string]bool{}
	for _, child := range c.Columns() {
		if names[child.Name()] {
			return nil, fmt.Errorf("%w: two fields are called %q", ErrDamaged, strings.ToValidUTF8(child.Name(), "?"))
		}
		names[child.Name()] = true
		sub, err := b.build(child, def, rep, depth+1)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, sub)
	}
	n.leaves = b.leaves - n.first
	if n.leaves == 0 {
		return nil, fmt.Errorf("%w: the group %q has no columns", ErrDamaged, strings.ToValidUTF8(c.Name(), "?"))
	}
	n.list = depth > 0 && !n.repeated && len(n.children) == 1 && n.children[0].repeated
	if n.list {
		e := n.children[0]
		// The rules for lists of two levels, of older writers (Parquet's LogicalTypes.md).
		e.wraps = len(e.children) == 1 && !e.children[0].repeated && e.name != "array" && e.name != n.name+"_tuple"
	}
	return n, nil
}
