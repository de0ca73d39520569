// Apilist prints the exported API of Go packages, one line per name, so that every change of it shows in a diff.
//
//	apilist -dir api ./...          write one listing per package
//	apilist -dir api -check ./...   report the listings that are out of date, and exit with status 1
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	dir := flag.String("dir", "api", "directory of the listings")
	check := flag.Bool("check", false, "compare instead of writing")
	flag.Parse()
	if err := run(*dir, *check, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "apilist:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool, patterns []string) error {
	pkgs, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedDeps | packages.NeedModule | packages.NeedSyntax | packages.NeedTypesInfo,
	}, patterns...)
	if err != nil {
		return err
	}
	if packages.PrintErrors(pkgs) > 0 {
		return fmt.Errorf("packages do not load")
	}
	want := map[string][]byte{}
	for _, pkg := range pkgs {
		if pkg.Name == "main" || slices.Contains(strings.Split(pkg.PkgPath, "/"), "internal") {
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(pkg.PkgPath, pkg.Module.Path), "/")
		if name == "" {
			name = pkg.Name
		}
		want[filepath.Join(dir, strings.ReplaceAll(name, "/", ".")+".txt")] = list(pkg.Types)
	}
	have, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return err
	}
	if check {
		return compare(want, have)
	}
	for _, file := range have {
		if want[file] == nil {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	for file, text := range want {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func compare(want map[string][]byte, have []string) error {
	var stale []string
	for _, file := range have {
		if want[file] == nil {
			stale = append(stale, file+": no such package")
		}
	}
	for file, text := range want {
		if old, err := os.ReadFile(file); err != nil {
			stale = append(stale, file+": not listed yet")
		} else if !bytes.Equal(old, text) {
			stale = append(stale, file+":\n"+difference(string(old), string(text)))
		}
	}
	if len(stale) == 0 {
		return nil
	}
	slices.Sort(stale)
	return fmt.Errorf("the exported API has changed (make api lists it anew):\n%s", strings.Join(stale, "\n"))
}

// difference shows the lines that only one of two listings has; their order carries nothing.
func difference(before, after string) string {
	b, a := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out []string
	for _, line := range b {
		if !slices.Contains(a, line) {
			out = append(out, "  - "+line)
		}
	}
	for _, line := range a {
		if !slices.Contains(b, line) {
			out = append(out, "  + "+line)
		}
	}
	return strings.Join(out, "\n")
}

// list describes the exported names of a package in alphabetical order.
func list(pkg *types.Package) []byte {
	qualify := types.RelativeTo(pkg)
	var out bytes.Buffer
	for _, name := range pkg.Scope().Names() {
		if !ast.IsExported(name) {
			continue
		}
		switch obj := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			fmt.Fprintf(&out, "const %s %s = %s\n", name, types.TypeString(obj.Type(), qualify), obj.Val())
		case *types.TypeName:
			listType(&out, obj, qualify)
		default:
			fmt.Fprintln(&out, types.ObjectString(obj, qualify))
		}
	}
	return out.Bytes()
}

func listType(out *bytes.Buffer, obj *types.TypeName, qualify types.Qualifier) {
	under := obj.Type().Underlying()
	record, isStruct := under.(*types.Struct)
	head := types.ObjectString(obj, qualify)
	if isStruct && !obj.IsAlias() { // the fields follow, exported ones only
		head, _, _ = strings.Cut(head, " struct{")
		fmt.Fprintf(out, "%s struct\n", head)
		for i := range record.NumFields() {
			if f := record.Field(i); f.Exported() {
				fmt.Fprintf(out, "type %s, field %s %s\n", obj.Name(), f.Name(), types.TypeString(f.Type(), qualify))
			}
		}
	} else {
		fmt.Fprintln(out, head)
	}
	named, ok := obj.Type().(*types.Named)
	if !ok || types.IsInterface(under) {
		return
	}
	methods := types.NewMethodSet(types.NewPointer(named))
	var lines []string
	for i := range methods.Len() {
		m := methods.At(i)
		fn := m.Obj().(*types.Func)
		if !fn.Exported() {
			continue
		}
		recv := obj.Name()
		if _, pointer := fn.Signature().Recv().Type().(*types.Pointer); pointer {
			recv = "*" + recv
		}
		var sig bytes.Buffer
		types.WriteSignature(&sig, fn.Signature(), qualify)
		lines = append(lines, fmt.Sprintf("method (%s) %s%s\n", recv, fn.Name(), sig.String()))
	}
	slices.Sort(lines)
	out.WriteString(strings.Join(lines, ""))
}
