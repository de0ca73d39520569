package modelfile

import (
	stdzip "archive/zip"
	"bufio"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/surefoot-ml/surefoot/validate/archive"
)

// zip judges what torch.save or numpy.savez wrote.
func (in *inspection) zip() {
	limits := in.opts.Archive
	limits.AnyName = true // an array may be called aux, W beside w, or dense/kernel:0
	files, err := archive.OpenZip(in.r, in.size, limits)
	isArray := func(f *stdzip.File) bool { return strings.HasSuffix(f.Name, ".npy") }
	if err == nil && !slices.ContainsFunc(files, isArray) {
		_, err = archive.CheckZip(in.r, in.size, in.opts.Archive)
	}
	if err != nil {
		in.problem("archive", archiveCode(err), shown(err.Error()), "a zip file that is safe to read")
		return
	}
	for _, f := range files {
		switch name := strings.ToLower(f.Name); { // torch finds its entries in any case
		case path.Base(name) == "data.pkl":
			in.report.Format = Torch
		case strings.HasSuffix(name, ".npy") && in.report.Format == Unknown:
			in.report.Format = NPZ
		}
	}
	if in.report.Format == Unknown {
		in.problem("format", CodeUnknown, "", "a zip file of torch or numpy")
	}
	for _, f := range files {
		in.entry(f)
	}
}

func archiveCode(err error) string {
	switch {
	case errors.Is(err, archive.ErrLimit):
		return CodeLimit
	case errors.Is(err, archive.ErrDuplicate):
		return CodeDuplicate
	}
	return CodeStructure
}

func (in *inspection) entry(f *stdzip.File) {
	name := shown(f.Name)
	lower := strings.ToLower(f.Name)
	ext := path.Ext(lower)
	_, inner, _ := strings.Cut(lower, "/")
	isCode := strings.HasPrefix(inner, "code/") || ext == ".py"
	switch {
	case strings.HasSuffix(f.Name, "/"):
		return
	case isCode && ext != ".pkl":
		in.problem(name, CodeCode, "", "data: this is program text")
		return
	}
	r, err := archive.OpenFile(f, in.opts.Archive)
	if err != nil {
		in.problem(name, archiveCode(err), shown(err.Error()), "readable")
		return
	}
	defer r.Close()
	before := in.found
	content := bufio.NewReaderSize(r, 4096)
	head, _ := content.Peek(6)
	switch {
	case ext == ".pkl" || ext == ".pickle":
		in.pickles(f.Name, content)
	case ext == ".npy" || string(head) == "\x93NUMPY": // numpy looks at the content alone
		in.npy(f.Name, content, int64(f.UncompressedSize64))
	default: // bytes of a storage
		return
	}
	if in.found == before {
		var rest [1]byte
		if _, err := content.Read(rest[:]); err != nil && archiveCode(err) == CodeLimit {
			in.problem(name, CodeLimit, shown(err.Error()), "within the limits")
		}
	}
}
