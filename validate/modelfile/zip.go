package modelfile

import (
	stdzip "archive/zip"
	"errors"
	"path"
	"strings"

	"github.com/surefoot-ml/surefoot/validate/archive"
)

// zip judges what torch.save or numpy.savez wrote.
func (in *inspection) zip() {
	files, err := archive.OpenZip(in.r, in.size, in.opts.Archive)
	if err != nil {
		in.problem("archive", archiveCode(err), shown(err.Error()), "a zip file that is safe to read")
		return
	}
	for _, f := range files {
		switch {
		case path.Base(f.Name) == "data.pkl":
			in.report.Format = Torch
		case strings.HasSuffix(f.Name, ".npy") && in.report.Format == Unknown:
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
	base, ext := path.Base(f.Name), path.Ext(f.Name)
	_, inner, _ := strings.Cut(f.Name, "/")
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
	switch {
	case ext == ".pkl" || ext == ".pickle" || base == "data.pkl":
		in.pickles(f.Name, r)
	case ext == ".npy":
		in.npy(f.Name, r, int64(f.UncompressedSize64))
	default: // bytes of a storage
		return
	}
	if in.found == before {
		var rest [1]byte
		if _, err := r.Read(rest[:]); err != nil && archiveCode(err) == CodeLimit {
			in.problem(name, CodeLimit, shown(err.Error()), "within the limits")
		}
	}
}
