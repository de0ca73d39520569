package audit

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// listing is the tiles that a directory holds, by level.
type listing map[int]*shelved

// shelved is the tiles of a level: those that are whole in their order, and the widths of parts.
type shelved struct {
	whole []uint64
	parts map[uint64][]int
}

// listTiles walks the tiles of a log. Names that are not of the layout are no concern of the log.
func listTiles(root durable.Dir) (listing, error) {
	tiles := root.Sub(tileName)
	names, err := tiles.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return listing{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := listing{}
	for _, name := range names {
		name, isDir := strings.CutSuffix(name, "/")
		level, err := strconv.Atoi(name)
		if name == levelName(bundleLevel) {
			level, err = bundleLevel, nil
		}
		if !isDir || err != nil || levelName(level) != name {
			continue
		}
		all[level] = &shelved{parts: map[uint64][]int{}}
		if err := all[level].walk(tiles.Sub(name), 0); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// walk reads a directory whose tiles have the numbers from 1000*above on.
func (s *shelved) walk(d durable.Dir, above uint64) error {
	names, err := d.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	var below []string // larger numbers, which come later
	for _, name := range names {
		switch dir, isDir := strings.CutSuffix(name, "/"); {
		case !isDir:
			if n, ok := digits3(name); ok {
				s.whole = append(s.whole, 1000*above+n)
			}
		case strings.HasSuffix(dir, ".p"):
			n, ok := digits3(strings.TrimSuffix(dir, ".p"))
			if !ok {
				continue
			}
			widths, err := d.Sub(dir).Names()
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for _, w := range widths {
				if width, err := strconv.Atoi(w); err == nil && width > 0 && width < tileWidth && strconv.Itoa(width) == w {
					s.parts[1000*above+n] = append(s.parts[1000*above+n], width)
				}
			}
		case strings.HasPrefix(dir, "x"):
			below = append(below, dir)
		}
	}
	for _, dir := range below {
		if n, ok := digits3(dir[1:]); ok {
			if err := s.walk(d.Sub(dir), 1000*above+n); err != nil {
				return err
			}
		}
	}
	return nil
}

func digits3(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && len(s) == 3
}
