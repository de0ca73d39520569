package journal

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Read calls fn as Open would call Options.Replay, and changes nothing: it takes no lock, so that it may read a journal
// that is in use, and an incomplete group at the end stays where it is. Its error matches fs.ErrNotExist if there is no
// journal.
func Read(d durable.Dir, path string, fn func(Entry) error) (Recovery, error) {
	path = filepath.Join(path, fileName)
	f, err := d.View(fileName)
	if err != nil {
		return Recovery{}, fmt.Errorf("journal: read %s: %w", path, err)
	}
	size, err := f.Size()
	r := replay{path: path, file: f, size: size, fn: fn}
	if err == nil {
		err = r.run()
	}
	return r.found(), errors.Join(err, f.Close())
}

// found is the recovery that Open would report.
func (r *replay) found() Recovery {
	return Recovery{Clean: !r.appended && r.seg.end == r.size, Entries: r.n, Cut: r.size - r.seg.end, Offset: r.seg.end}
}
