# Two commands do everything: `make course` and `make test`. `make help` lists the rest.

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python,$(if $(shell $(p) -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null | grep True),$(p),)))
BIN := .venv/bin
READY := .venv/.ready
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help course book site release grade feedback report test lint stock bench experiments screenshots doctor clean sandbox

help:  ## list the commands
	@echo "make course       set up, build the book, release, grade the sample class, feedback, report"
	@echo "make test         set up, lint, run the tests"
	@echo
	@echo "make book         build the book into _build/html (warnings are errors)"
	@echo "make site         the book with the assignments' zips beside it, to put on a web server"
	@echo "make release      make the students' notebooks in autograde/course/release"
	@echo "make grade        grade what lies in autograde/course/submitted"
	@echo "make feedback     write each student's feedback page"
	@echo "make report       write the class report"
	@echo "make lint         ruff and the type checker"
	@echo "make bench        measure the layers against torch.nn, the grading against stock nbgrader"
	@echo "make stock        nbgrader's own tests under our configuration"
	@echo "make experiments  run the experiments whose code has changed"
	@echo "make screenshots  draw the README's pictures again (needs Chromium)"
	@echo "make doctor       say what of this machine is ready"
	@echo "make clean        remove everything that was built, and .venv"

course: $(READY) sandbox book  ## the main job, end to end
	$(BIN)/autograde release
	$(BIN)/autograde sample-class recurrent_neurons
	$(BIN)/autograde grade recurrent_neurons --workers $(WORKERS)
	$(BIN)/autograde feedback recurrent_neurons
	$(BIN)/autograde report recurrent_neurons
	@echo
	@echo "Open:"
	@echo "  the book             _build/html/index.html"
	@echo "  what students get    autograde/course/release/recurrent_neurons/recurrent_neurons.ipynb"
	@echo "  a student's feedback autograde/course/feedback/"
	@echo "  the class report     autograde/course/report/recurrent_neurons.html"

book: $(READY)
	$(BIN)/python -m chapters.build

site: book release
	rm -rf _build/html/assignments
	mkdir _build/html/assignments
	cp autograde/course/release/*.zip _build/html/assignments/
	@echo "Put _build/html on a web server; students find each assignment at assignments/NAME.zip there"

release: $(READY)
	$(BIN)/autograde release

grade: $(READY) sandbox
	$(BIN)/autograde grade --workers $(WORKERS)

feedback: $(READY)
	$(BIN)/autograde feedback

report: $(READY)
	$(BIN)/autograde report

test: lint sandbox
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

stock: $(READY)
	$(BIN)/python -m tests.stock_nbgrader

bench: $(READY) sandbox
	$(BIN)/python -m tests.benchmarks.layers
	$(BIN)/python -m tests.benchmarks.grading

experiments: $(READY)
	$(BIN)/python -m solutions.experiments --all

screenshots: book release
	$(BIN)/python -m chapters.screenshots

doctor: $(READY)
	$(BIN)/autograde doctor

# Set up once: the virtual environment with the pinned packages, and this project's own command in it.
$(READY): requirements.txt constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed and was not found; name it: make course PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version): once, a few minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --requirement requirements.txt --constraint constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Student code runs in bubblewrap: put it in where the machine lets us, else say in one line how.
sandbox:
	@command -v bwrap >/dev/null 2>&1 || { \
	  if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing bubblewrap"; apt-get update -qq && apt-get install -y -qq bubblewrap >/dev/null; \
	  elif command -v apt-get >/dev/null 2>&1 && sudo -n true 2>/dev/null; then \
	    echo "Installing bubblewrap"; sudo apt-get update -qq && sudo apt-get install -y -qq bubblewrap >/dev/null; fi; }
	@command -v bwrap >/dev/null 2>&1 || { \
	  echo "Grading needs bubblewrap on Linux: install it with your package manager (Debian, Ubuntu: sudo apt-get install bubblewrap), then run make again."; exit 1; }

clean:
	rm -rf _build .venv *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "autograde/course/ holds submissions and grades, so it is left as it is"
