PYTHON ?= python3
BIN := .venv/bin
# The installed marker goes stale when what the install depends on changes.
INSTALLED := .venv/.installed
SOURCES := pyproject.toml setup.py $(wildcard kernels/*.pyx kernels/*.pxd kernels/*.h)

.PHONY: demo docs test test-deep test-release asan mutants lint types house bench clean

demo: $(INSTALLED)
	$(BIN)/rebatch demo --figure results/demo.png

test: lint
	$(BIN)/python -m pytest -n auto -m "not deep and not release" --durations=20 --durations-min=2

test-deep: $(INSTALLED)
	$(BIN)/python -m pytest -n auto -m deep

# The kernels and the engines over them with AddressSanitizer, in a build of its own.
asan: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "setuptools>=77" "Cython>=3.1"
	rm -rf build/asan
	REBATCH_SANITIZE=1 $(BIN)/python setup.py -q build --build-lib build/asan --build-temp build/asan/objects
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
	PYTHONPATH=build/asan $(BIN)/python -m pytest -q -p no:cacheprovider -m "not deep" \
	tests/kernels tests/numeric/engines

# Builds sdist and wheel, and tries the wheel outside the tree in a clean environment.
test-release: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[release]"
	$(BIN)/python -m pytest -m release tests/release

# The site, in build/docs: notebooks run, every warning is an error, nothing is fetched once the extra is installed.
docs: .venv/.docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "build/docs/index.html"

.venv/.docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs,cluster]"
	touch $@

# Kernels are built in place for each mutant, with what the build needs beside the tests.
mutants: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "setuptools>=77" "Cython>=3.1"
	$(BIN)/python tests/mutants.py

# Types take as long as all else: both at once, each with its output together.
lint: $(INSTALLED)
	ln -sfn "$(CURDIR)" .venv/rebatch
	+$(MAKE) --no-print-directory --jobs=2 --output-sync types house

# mypy follows imports by path: give it the root under the package's name, as the install does.
types:
	MYPYPATH=.venv $(BIN)/mypy -p rebatch.symbolic -p rebatch.kernels -p rebatch.numeric -p rebatch.verify -p rebatch.cli -m rebatch -m rebatch.plot
	MYPYPATH=.venv $(BIN)/mypy tests/test_typed_client.py

house:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint kernels
	$(BIN)/lint-imports

bench: $(INSTALLED)
	for program in benchmarks/*.py; do $(BIN)/python $$program || exit 1; done

$(INSTALLED): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test,lint]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info kernels/*.c kernels/*.so
