package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Names in the directory of a log.
const (
	checkpointName = "checkpoint"
	witnessedName  = "witnessed"
	tileName       = "tile"
	journalName    = "journal"
	tempSuffix     = ".new"

	bundleLevel = -1 // of entries, where tiles of hashes have 0 and more
)

// place is where a tile lies: whole, or its first width hashes (or entries).
type place struct {
	level int
	index uint64
	width int
}

func levelName(level int) string {
	if level == bundleLevel {
		return "entries"
	}
	return strconv.Itoa(level)
}

// path returns the names of the directories below "tile", and of the file.
func (p place) path() (dirs []string, name string) {
	groups := []string{fmt.Sprintf("%03d", p.index%1000)}
	for n := p.index / 1000; n > 0; n /= 1000 {
		groups = append([]string{fmt.Sprintf("x%03d", n%1000)}, groups...)
	}
	dirs = append([]string{levelName(p.level)}, groups[:len(groups)-1]...)
	name = groups[len(groups)-1]
	if p.width < tileWidth {
		return append(dirs, name+".p"), strconv.Itoa(p.width)
	}
	return dirs, name
}

func (p place) String() string {
	dirs, name := p.path()
	return tileName + "/" + strings.Join(dirs, "/") + "/" + name
}

// read returns the content of a tile. Its error matches fs.ErrNotExist if there is none.
func (p place) read(root durable.Dir) ([]byte, error) {
	dirs, name := p.path()
	d := root.Sub(tileName)
	for _, dir := range dirs {
		d = d.Sub(dir)
	}
	return d.Read(name)
}

// shelf writes tiles. It remembers which directories exist and which are not synced.
type shelf struct {
	root  durable.Dir
	made  map[string]durable.Dir
	dirty map[string]durable.Dir
}

func newShelf(root durable.Dir) *shelf {
	return &shelf{root: root, made: map[string]durable.Dir{}, dirty: map[string]durable.Dir{}}
}

// dir returns a directory below the root, made if need be.
func (s *shelf) dir(names []string) (durable.Dir, error) {
	key := strings.Join(names, "/")
	if d := s.made[key]; d != nil {
		return d, nil
	}
	d := s.root
	if len(names) > 0 {
		parent, err := s.dir(names[:len(names)-1])
		if err != nil {
			return nil, err
		}
		d = parent.Sub(names[len(names)-1])
		if err := d.Make(); err != nil {
			return nil, err
		}
	}
	s.made[key] = d
	return d, nil
}

// syncers is how many files are synced at once: a file system commits them together.
const syncers = 16

// put writes tiles so that they survive a loss of power.
func (s *shelf) put(tiles []built) error {
	files := make([]durable.File, 0, len(tiles))
	err := s.write(tiles, &files)
	errs := make([]error, syncers)
	var wg sync.WaitGroup
	for n := range min(syncers, len(files)) {
		wg.Go(func() {
			for i := n; i < len(files); i += syncers {
				if err == nil && errs[n] == nil {
					errs[n] = files[i].Sync()
				}
			}
		})
	}
	wg.Wait()
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	if err = errors.Join(err, errors.Join(errs...)); err != nil {
		return err
	}
	for _, t := range tiles {
		d, name, err := s.at(t.place)
		if err == nil {
			err = d.Rename(name+tempSuffix, name)
		}
		if err != nil {
			return err
		}
	}
	return s.sync()
}

// write writes tiles under other names.
func (s *shelf) write(tiles []built, files *[]durable.File) error {
	for _, t := range tiles {
		d, name, err := s.at(t.place)
		if err != nil {
			return err
		}
		if err := d.Remove(name + tempSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err := d.Create(name + tempSuffix)
		if err != nil {
			return err
		}
		*files = append(*files, f)
		if _, err := f.WriteAt(t.content, 0); err != nil {
			return err
		}
	}
	return nil
}

// at returns the directory of a tile, made if need be and to be synced, and its name.
func (s *shelf) at(p place) (durable.Dir, string, error) {
	dirs, name := p.path()
	dirs = append([]string{tileName}, dirs...)
	d, err := s.dir(dirs)
	if err == nil {
		s.dirty[strings.Join(dirs, "/")] = d
	}
	return d, name, err
}

// sync makes the names of what was put survive a loss of power.
func (s *shelf) sync() error {
	for key, d := range s.dirty {
		if err := d.Sync(); err != nil {
			return err
		}
		delete(s.dirty, key)
	}
	return nil
}

// removeParts removes the parts of a tile that is whole now. They are of no use, but no harm either.
func (s *shelf) removeParts(level int, index uint64) error {
	dirs, _ := place{level, index, 1}.path()
	d := s.root.Sub(tileName)
	for _, dir := range dirs[:len(dirs)-1] {
		d = d.Sub(dir)
	}
	last := dirs[len(dirs)-1]
	parts := d.Sub(last)
	names, err := parts.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		err = errors.Join(err, parts.Remove(name))
	}
	delete(s.made, tileName+"/"+strings.Join(dirs, "/"))
	delete(s.dirty, tileName+"/"+strings.Join(dirs, "/"))
	return errors.Join(err, d.Remove(last))
}

// removeBundle removes the entries of a tile, if they are there.
func (s *shelf) removeBundle(index uint64) error {
	dirs, name := place{bundleLevel, index, tileWidth}.path()
	d, err := s.dir(append([]string{tileName}, dirs...))
	if err != nil {
		return err
	}
	if err := d.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.dirty[tileName+"/"+strings.Join(dirs, "/")] = d
	return nil
}
