# Two commands matter: `make run` starts the demo, `make test` runs every check and test.
# The distribution's interpreter, where it will do: it is built with optimisations that one from pyenv's defaults does without, and
# saves a tenth of the processor's time. `make PYTHON=python3.13` takes another one.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo /usr/bin/python3 || echo python3)
BIN := .venv/bin

UI := gateways/webmail_ui
NODE := PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: run test programs check ui ui-check format fuzz fuzz-coverage hostile-memory autobahn kill cuts crowd resume faults devices scale search load load-peers load-gate clean

run: .venv/ready ui
	$(BIN)/rookery demo

# Most tests wait, so they run side by side; those that measure something run alone after that.
test: check ui ui-check programs
	$(BIN)/pytest -m "not alone" --numprocesses 3 --dist worksteal --max-worker-restart 0
	$(BIN)/pytest -m alone

# Debian's programs that tests drive, where they can be installed.
programs: .venv/ready
	$(BIN)/python -m tests.programs

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The pages of webmail. Node.js comes with the Python packages; nothing else is needed on the machine.
ui: $(UI)/dist/index.html

$(UI)/node_modules/ready: .venv/ready $(UI)/package.json $(UI)/package-lock.json
	cd $(UI) && $(NODE) npm ci --no-audit --no-fund --loglevel=error
	touch $@

$(UI)/dist/index.html: $(UI)/node_modules/ready $(UI)/index.html $(UI)/vite.config.ts $(shell find $(UI)/src $(UI)/public -type f)
	cd $(UI) && $(NODE) npx --no-install vite build --logLevel warn

# Its types, and the model without a browser.
ui-check: $(UI)/node_modules/ready
	cd $(UI) && $(NODE) npx --no-install tsc --noEmit && $(NODE) npx --no-install vitest run --reporter=dot

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The long forms of what `make test` does in short: a hundred times kill -9; ten thousand members;
# a contact among a hundred thousand.
kill: .venv/ready
	$(BIN)/python -m tests.faults.kill --rounds 100

# Two browsers chat while their sockets are cut five hundred times; ten thousand contacts in the page.
cuts: .venv/ready ui
	$(BIN)/python -m tests.browser.cuts --cuts 500

crowd: .venv/ready ui
	$(BIN)/python -m tests.browser.crowd

# A hundred times kill -9, or broken connections, and every session goes on.
resume: .venv/ready
	$(BIN)/python -m tests.faults.resume --rounds 100

# The fault table: everything that may happen to a server, and what is lost; with Debian's Prosody and ejabberd beside it.
# It ends by itself after so many minutes. Some rows need root (strace, a small file system, a network namespace).
MINUTES ?= 85

faults: .venv/ready
	$(BIN)/python -m tests.faults --minutes $(MINUTES) --json build/faults.json --markdown build/faults.md

# Ten thousand random stories of one conversation on three devices.
devices: .venv/ready
	$(BIN)/python -m tests.properties.devices --stories 10000

scale: .venv/ready
	$(BIN)/python -m tests.scale.measure
	$(BIN)/python -m tests.scale.commands
	$(BIN)/python -m tests.scale.contacts
	$(BIN)/python -m tests.scale.histories

# Searches in histories: right, by a plain scan; quick, with a million messages of one user.
search: .venv/ready
	$(BIN)/python -m tests.search.oracle
	$(BIN)/python -m tests.search.speed
	$(BIN)/python -m tests.search.neighbours

# A million generated stanzas, half an hour; prints the seed.
fuzz: .venv/ready
	$(BIN)/python -m tests.hostile.fuzz

# Whatever reads bytes of strangers, by a fuzzer that looks at coverage (atheris, installed for it).
fuzz-coverage: .venv/ready
	for target in parser message jid sasl frame search; do $(BIN)/python -m tests.hostile.coverage $$target || exit 1; done

# What the process needs while a thousand clients do their worst.
hostile-memory: .venv/ready
	$(BIN)/python -m tests.hostile.memory

# Autobahn's cases against the web port's sockets; needs a Python 2.7 with pip, and says so without one.
autobahn: .venv/ready
	$(BIN)/python -m tests.hostile.autobahn

# What each unit of work costs, on a server that is started for it: docs/load.md.
load: .venv/ready
	$(BIN)/python -m tests.load run --json build/load.json --html build/load.html

# The same work on Debian's Prosody and ejabberd, too; installs them when they are missing.
load-peers: .venv/ready
	$(BIN)/python -m tests.load peers --json build/load-peers.json --html build/load-peers.html --markdown build/load-peers.md

# Instructions for each unit of work, against those that were accepted: fails when something became dearer.
load-gate: .venv/ready
	$(BIN)/python -m tests.load gate

# constraints.txt pins every version, so that two installs are the same.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,ui]'
	touch $@

clean:
	rm -rf .venv build ./*.egg-info $(UI)/node_modules $(UI)/dist
