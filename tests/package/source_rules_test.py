#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""source_rules.py finds what it is there to find: each rule on a seeded violation."""
import os
import tempfile
import unittest

import source_rules

APACHE = "// SPDX-License-Identifier: Apache-2.0\n"
DUAL = "// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause\n"


class SourceRulesTest(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, path, text):
        whole = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)

    def found(self, rule):
        return list(rule(self.folder.name))

    def includes(self, path, include):
        """Whether the rules let the file at `path` include `include`."""
        self.write(path, APACHE + f"#include {include}\n")
        found = self.found(source_rules.layering)
        os.remove(os.path.join(self.folder.name, path))
        if found:
            self.assertEqual(1, len(found))
            self.assertIn(f"{path}:2: may not include {include}", found[0])
        return not found

    def test_layering_seeded_violations_are_found(self):
        for path, include in (
                ("libmasflow/include/masflow/session.h", "<boost/asio/io_context.hpp>"),
                ("libmasflow/include/masflow/session.h", "<absl/strings/string_view.h>"),
                ("libmasflow/include/masflow/session.h", '"core/session_core.h"'),
                ("libmasflow/include/masflow/session.h", '"masflow/asio.h"'),
                ("libmasflow/include/masflow/events.h", "<unistd.h>"),
                ("libmasflow/include/masflow/asio.h", "<bpf/libbpf.h>"),
                ("libmasflow/src/core/session.cc", '"bpf/live_source.h"'),
                ("libmasflow/src/core/session_core.cc", '"replay/replay_source.h"'),
                ("libmasflow/src/core/session_core.cc", '"process/process_stream_core.h"'),
                ("libmasflow/src/core/source_factory.cc", '"bpf/ring_reader.h"'),
                ("libmasflow/src/wire/process_record.cc", '"core/record_source.h"'),
                ("libmasflow/src/wire/process_record.cc", "<absl/strings/str_cat.h>"),
                ("libmasflow/src/process/process_stream.cc", '"bpf/process_feed.h"'),
                ("libmasflow/src/process/process_stream.cc", "<bpf/libbpf.h>"),
                ("libmasflow/src/process/process_stream.cc", '"process.skel.h"'),
                ("libmasflow/src/bpf/live_source.cc", '"core/session_core.h"'),
                ("libmasflow/src/bpf/live_source.cc", '"wire/process_record.h"'),
                ("libmasflow/src/bpf/skeleton.h", "<zlib.h>"),
                ("libmasflow/src/bpf/inflate.cc", "<bpf/libbpf.h>"),
                ("libmasflow/src/replay/recorder.cc", '"process/snapshot_join.h"'),
                ("libmasflow/src/replay/recorder.cc", '"bpf/live_source.h"'),
                ("libmasflow/src/format/text.cc", '"core/session_core.h"'),
                ("libmasflow/src/format/json.cc", "<boost/json.hpp>"),
                ("cli/main.cc", '"core/session_core.h"'),
                ("cli/main.cc", '"masflow_bpf/wire.h"'),
                ("cli/printer.cc", '"format/escape.h"'),
                ("examples/print_events.cc", '"core/unique_fd.h"'),
                ("bpf/process.bpf.c", '"masflow/events.h"'),
                ("bpf/process.bpf.c", "<linux/types.h>"),
        ):
            with self.subTest(path=path, include=include):
                self.assertFalse(self.includes(path, include))

    def test_layering_what_is_allowed_passes(self):
        for path, include in (
                ("libmasflow/include/masflow/session.h", "<absl/status/statusor.h>"),
                ("libmasflow/include/masflow/session.h", "<vector>"),
                ("libmasflow/include/masflow/asio.h", "<boost/asio/post.hpp>"),
                ("libmasflow/src/core/source_factory.cc", '"bpf/live_source.h"'),
                ("libmasflow/src/bpf/live_source.cc", '"process.skel.h"'),
                ("libmasflow/src/bpf/live_source.cc", "<bpf/libbpf.h>"),
                ("libmasflow/src/bpf/inflate.cc", "<zlib.h>"),
                ("libmasflow/src/process/process_stream.cc", '"wire/process_record.h"'),
                ("cli/main.cc", '"masflow/asio.h"'),
                ("cli/main.cc", '"flags.h"'),
        ):
            with self.subTest(path=path, include=include):
                self.assertTrue(self.includes(path, include))

    def test_layering_folder_without_a_rule_is_found(self):
        self.write("libmasflow/src/misc/tools.h", APACHE)
        self.assertIn("no include rule", self.found(source_rules.layering)[0])

    def test_licences_missing_or_wrong_line_is_found(self):
        self.write("cli/good.cc", APACHE)
        self.write("cli/none.cc", "int x;\n")
        self.write("cli/other.cc", DUAL)
        self.write("bpf/good.bpf.h", DUAL)
        self.write("bpf/other.bpf.c", APACHE)
        self.write("cmake/none.sh", "#!/bin/sh\n")
        self.assertEqual(["bpf/other.bpf.c", "cli/none.cc", "cli/other.cc", "cmake/none.sh"],
                         [line.split(":")[0] for line in self.found(source_rules.licences)])

    def test_lengths_file_above_the_limit_is_found(self):
        self.write("cli/long.cc", "\n" * (source_rules.MAX_LINES + 1))
        self.write("cli/short.cc", "\n" * source_rules.MAX_LINES)
        self.assertEqual(["cli/long.cc:501: more than 500 lines"],
                         self.found(source_rules.lengths))

    def test_listed_file_that_nothing_builds_is_found(self):
        self.write("cli/CMakeLists.txt", "add_executable(masflow main.cc)")
        self.write("cli/main.cc", APACHE)
        self.write("cli/other.cc", APACHE)
        self.write("tests/unit/CMakeLists.txt", 'file(GLOB sources CONFIGURE_DEPENDS "*.cc")\n')
        self.write("tests/unit/some_test.cc", APACHE)
        self.write("libmasflow/CMakeLists.txt", "src/wire/record.cc")
        self.write("libmasflow/src/wire/record.cc", APACHE)
        self.write("libmasflow/src/core/record.cc", APACHE)
        self.assertEqual(["cli/other.cc", "libmasflow/src/core/record.cc"],
                         [line.split(":")[0] for line in self.found(source_rules.listed)])


if __name__ == "__main__":
    unittest.main()
