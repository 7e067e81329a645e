# One Makefile for the whole house.  O= names the build directory, so that
# several builds (plain, sanitized, clang) can stand side by side.
O	?= build
CC	?= cc
PREFIX	?= /usr/local
SYSCONFDIR ?= /etc
WERROR	?= -Werror

WARN	= -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
HARDEN	= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE \
	  -fstack-clash-protection -fcf-protection
CPPFLAGS += -D_GNU_SOURCE -I. -DSYSCONFDIR='"$(SYSCONFDIR)"'
CFLAGS	?= -O2 -g
override CFLAGS += -std=c17 $(WARN) $(HARDEN) $(SANITIZE)
LDFLAGS	+= -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(SANITIZE)
LDLIBS	= -lbsd -lsodium -lseccomp -levent_core -lidn2 -pthread

# A folder is a library of its own, but for its main.c; a program is a main.c
# with its folder and common/.  Nothing links two folders together.
FOLDERS	= common/bytes common/mail common/run common/msg master smtpd lookup \
	  lookup/tables lookup/dns queue queue/tool deliver/local deliver/remote admin admin/sendmail
obj	= $(patsubst %.c,$(O)/%.o,$(filter-out %/main.c $(MAINS),$(foreach d,$1,$(wildcard $d/*.c))))
COMMON	= $(O)/common.a

# program: its main and the folders it is made of.  Those of libexec are
# started by master, those of bin by people.
MAINS	= master/main.c master/logger.c master/config.c smtpd/main.c \
	  lookup/main.c lookup/dns/main.c queue/main.c queue/tool/main.c deliver/local/main.c \
	  deliver/remote/main.c admin/control.c admin/sallyport.c admin/sendmail/main.c
LIBEXEC	= master logger config smtpd lookup resolver queue local remote control spool
BIN	= sallyport sendmail mailq newaliases

all: $(LIBEXEC:%=$(O)/libexec/%) $(BIN:%=$(O)/bin/%)

define program # path, main, folders
$(O)/$1: $(O)/$(2:.c=.o) $(call obj,$3) $(COMMON)
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS) $4
endef
$(eval $(call program,libexec/master,master/main.c,master))
$(eval $(call program,libexec/logger,master/logger.c,master/logger,-ljansson))
$(eval $(call program,libexec/config,master/config.c,master/conf,-lconfuse -ljansson))
$(eval $(call program,libexec/smtpd,smtpd/main.c,smtpd))
$(eval $(call program,libexec/lookup,lookup/main.c,lookup lookup/tables))
$(eval $(call program,libexec/resolver,lookup/dns/main.c,lookup/dns,-lunbound))
$(eval $(call program,libexec/queue,queue/main.c,queue))
$(eval $(call program,libexec/spool,queue/tool/main.c,queue queue/tool,-ljansson))
$(eval $(call program,libexec/local,deliver/local/main.c,deliver/local))
$(eval $(call program,libexec/remote,deliver/remote/main.c,deliver/remote))
$(eval $(call program,libexec/control,admin/control.c,admin/control))
$(eval $(call program,bin/sallyport,admin/sallyport.c,admin,-ljansson))
$(eval $(call program,bin/sendmail,admin/sendmail/main.c,admin/sendmail))
$(O)/bin/sendmail: $(O)/admin/programs.o
# One program, which looks at the name that it is called by.
$(O)/bin/mailq $(O)/bin/newaliases: $(O)/bin/sendmail
	ln -sf sendmail $@

$(COMMON): $(call obj,common/bytes common/mail common/run common/msg)
	@rm -f $@
	$(AR) rcs $@ $^

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# --- tests -----------------------------------------------------------------
# tests/unit/FOLDER/test_x.c is linked with common/ and FOLDER, never with a
# main.  (tests/unit/common for common/.)
UNIT_SRC = $(wildcard tests/unit/*/test_*.c)
UNIT	= $(UNIT_SRC:tests/unit/%.c=$(O)/tests/%)
UNITLIBS = $(LDLIBS) -lcheck -lsubunit -lm -lrt

define unit # test program, its folders
$(O)/tests/$1: $(O)/tests/unit/$1.o $(call obj,$2) $(COMMON)
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(UNITLIBS) $3
endef
# The folder of a unit test is its own: tests/unit/local is for deliver/local.
folder_of = $(or $(value FOLDER_$1),$1)
FOLDER_common =
FOLDER_local = deliver/local
FOLDER_sendmail = admin/sendmail
FOLDER_remote = deliver/remote
FOLDER_dns = lookup/dns
FOLDER_lookup = lookup lookup/tables
FOLDER_conf = master/conf
FOLDER_logger = master/logger
UNIT_LIBS_dns = -lunbound
UNIT_LIBS_logger = -ljansson
UNIT_LIBS_conf = -lconfuse -ljansson
UNIT_LIBS_admin = -ljansson
$(foreach t,$(UNIT:$(O)/tests/%=%),$(eval $(call unit,$t,$(if $(filter common/%,$t),,$(call folder_of,$(patsubst %/,%,$(dir $t)))),$(UNIT_LIBS_$(patsubst %/,%,$(dir $t))))))

$(filter $(O)/tests/sendmail/%,$(UNIT)): $(O)/admin/programs.o

$(O)/tests/tools/%: $(O)/tests/tools/%.o $(COMMON)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
TOOLS	= $(patsubst tests/tools/%.c,$(O)/tests/tools/%,$(wildcard tests/tools/*.c))

# tests/seams/test_x.c plays master and the peers of one real program.
SEAMS	= $(patsubst tests/seams/%.c,$(O)/tests/seams/%,$(wildcard tests/seams/test_*.c))
$(filter $(O)/tests/seams/test_queue%,$(SEAMS)): $(O)/tests/seams/queue_house.o
$(filter $(O)/tests/seams/test_smtpd%,$(SEAMS)): $(O)/tests/seams/smtpd_house.o
$(filter $(O)/tests/seams/test_lookup%,$(SEAMS)): $(O)/tests/seams/lookup_house.o
$(SEAMS): $(O)/tests/seams/%: $(O)/tests/seams/%.o $(O)/tests/seams/seam.o $(O)/tests/seams/client.o $(COMMON)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(COMMON) $(UNITLIBS)

tests: all $(UNIT) $(SEAMS) $(TOOLS)

# Everything a fresh Debian 12 machine lacks, then everything that can fail.
check: deps includes
	$(MAKE) tests
	$(MAKE) O=$(O)-clang CC=clang all
	$(MAKE) O=$(O)-asan $(ASAN) tests
	tests/check unit e2e faults asan

check-asan:
	$(MAKE) O=$(O)-asan $(ASAN) tests
	tests/check asan

ASAN	= SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"

# --- installing --------------------------------------------------------------
# What stands in the files for the default paths becomes the real ones.
bindir	= $(PREFIX)/bin
sbindir	= $(PREFIX)/sbin
libexecdir = $(PREFIX)/libexec/sallyport
docdir	= $(PREFIX)/share/doc/sallyport
libdir	= $(PREFIX)/lib
confdir	= $(SYSCONFDIR)/sallyport
SUBST	= sed -e 's,/usr/local/,$(PREFIX)/,g' -e 's,/etc/sallyport,$(confdir),g'

# Other names of sendmail, which stands where programs look for it.
LINKS	= mailq newaliases
BIN_ONLY = $(filter-out sendmail $(LINKS),$(BIN))
UNITS	= $(wildcard etc/*.service etc/*.socket)
PAGES	= $(wildcard etc/*.[1-8] */*.[1-8] */*/*.[1-8])
DOCS	= README INSTALL LICENSE REPLIES
page	= $(PREFIX)/share/man/man$(subst .,,$(suffix $1))/$(notdir $1)

# All that install makes: what uninstall removes.  Beside it, where there is
# none, a first configuration, with the name of this machine if it has a full one.
INSTALLED = $(BIN_ONLY:%=$(bindir)/%) $(LINKS:%=$(bindir)/%) $(sbindir)/sendmail \
	  $(LIBEXEC:%=$(libexecdir)/%) \
	  $(UNITS:etc/%=$(libdir)/systemd/system/%) \
	  $(libdir)/sysusers.d/sallyport.conf $(libdir)/tmpfiles.d/sallyport.conf \
	  $(foreach p,$(sort $(PAGES)),$(call page,$p)) \
	  $(DOCS:%=$(docdir)/%) $(confdir)/sallyport.conf.example

define put # mode, file, place
	@install -d '$(DESTDIR)$(patsubst %/,%,$(dir $3))'
	@$(SUBST) $2 >'$(DESTDIR)$3.new' && chmod $1 '$(DESTDIR)$3.new' && \
	    mv '$(DESTDIR)$3.new' '$(DESTDIR)$3'

endef

install: all
	@install -d $(patsubst %,'$(DESTDIR)%',$(bindir) $(sbindir) $(libexecdir))
	@install -m 755 $(BIN_ONLY:%=$(O)/bin/%) '$(DESTDIR)$(bindir)'
	@install -m 755 $(O)/bin/sendmail '$(DESTDIR)$(sbindir)'
	@for l in $(LINKS); do ln -sf ../sbin/sendmail "$(DESTDIR)$(bindir)/$$l"; done
	@install -m 755 $(LIBEXEC:%=$(O)/libexec/%) '$(DESTDIR)$(libexecdir)'
	$(foreach u,$(UNITS),$(call put,644,$u,$(libdir)/systemd/system/$(notdir $u)))
	$(foreach d,sysusers.d tmpfiles.d,$(call put,644,etc/$d/sallyport.conf,$(libdir)/$d/sallyport.conf))
	$(foreach p,$(sort $(PAGES)),$(call put,644,$p,$(call page,$p)))
	$(foreach d,$(DOCS),$(call put,644,$d,$(docdir)/$d))
	$(call put,644,etc/sallyport.conf,$(confdir)/sallyport.conf.example)
	@test -e '$(DESTDIR)$(confdir)/sallyport.conf' || { \
	    test -n '$(DESTDIR)' || name=$$(hostname -f 2>/dev/null); \
	    case $$name in *.*) ;; *) name=mail.example.org ;; esac; \
	    umask 022; sed "s/mail\.example\.org/$$name/" \
	    '$(DESTDIR)$(confdir)/sallyport.conf.example' \
	    >'$(DESTDIR)$(confdir)/sallyport.conf'; }
	@echo 'installed below $(DESTDIR)$(PREFIX); see INSTALL for users, directories and starting it'

# Configuration, queue and users stay.
uninstall:
	@rm -f $(INSTALLED:%='$(DESTDIR)%')
	@for d in '$(libexecdir)' '$(docdir)' '$(confdir)'; do \
	    rmdir "$(DESTDIR)$$d" 2>/dev/null || true; done

# A program knows where its configuration is: with another place it is another
# program.
$(O)/sysconfdir: FORCE
	@mkdir -p $(@D)
	@echo '$(SYSCONFDIR)' | cmp -s - $@ || echo '$(SYSCONFDIR)' >$@
FORCE:
SYSCONF_ROOMS = $(sort $(dir $(shell grep -ls SYSCONFDIR $(wildcard */*.[ch] */*/*.[ch]))))
$(patsubst %.c,$(O)/%.o,$(foreach d,$(SYSCONF_ROOMS),$(wildcard $d*.c $d*/*.c))): $(O)/sysconfdir

deps:
	@tests/deps

demo:
	@tests/deps
	@$(MAKE) -s all
	@tests/demo

# Beside Postfix, each on a disk of its own; BENCH="-r 5 'accept*'" for less or more.
bench: all
	@tests/deps python3 debootstrap e2fsprogs util-linux systemd
	@tests/bench/run $(BENCH)

# A folder uses common/ and itself: what crosses is a message.  common's own
# steps use only those above them: bytes, mail, run, msg.
includes:
	@! grep -rn '#include "' common/bytes | grep -v '"common/bytes/'
	@! grep -rn '#include "' common/mail | grep -v '"common/\(bytes\|mail\)/'
	@! grep -rn '#include "' common/run | grep -v '"common/\(bytes\|mail\|run\|msg\)/'
	@for room in master smtpd lookup queue deliver/local deliver/remote admin; do \
	    ! grep -rn '#include "' $$room | grep -v "\"common/\|\"$$room/" || exit 1; done

# --- fuzzing ----------------------------------------------------------------
# `make fuzz` builds a libFuzzer program for each parser of common/, for aliases,
# and for the session of smtpd (clang only);
# run one with a directory for what it finds: build/fuzz/fuzz_dot DIR
FUZZ	= $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: $(FUZZ)

$(O)/fuzz/fuzz_aliases: $(addprefix lookup/tables/,aliases_text.c aliases_table.c aliases_kind.c table_file.c users_table.c)
$(O)/fuzz/fuzz_proxy: smtpd/proxy.c
$(O)/fuzz/fuzz_session: common/run/conf.c $(addprefix smtpd/,session.c verbs.c chunk.c inquiry.c parameters.c content.c session.h content.h)
$(O)/fuzz/%: tests/fuzz/%.c $(wildcard common/bytes/*.[ch] common/mail/*.[ch])
	@mkdir -p $(@D)
	clang $(CPPFLAGS) -std=c17 -O2 -g $(WARN) -fno-sanitize-recover=all \
	    -fsanitize=fuzzer,address,undefined -o $@ $(filter %.c,$^) -lidn2

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(O)

.PHONY: all tests check check-asan install uninstall deps demo bench includes fuzz format clean FORCE
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
