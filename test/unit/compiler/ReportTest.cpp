// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The page of `--report`: texts of a model stay data.
#include "compiler/Driver/Report/Page.h"
#include "runtime/loader/ReportBlocks.h"
#include "llvm/ADT/StringRef.h"
#include <gtest/gtest.h>

using namespace hone;
using llvm::StringRef;
namespace json = llvm::json;

static size_t occurrences(StringRef page, StringRef text) {
  return page.count(text);
}

TEST(ReportBlocks, escapeWhatHtmlReads) {
  EXPECT_EQ(escapedForPage("[\"</script><!--\", 1]"),
            "[\"\\u003c/script>\\u003c!--\", 1]");
}

TEST(ReportPage, holdsAnyText) {
  std::string hostile("</script><script>alert(1)</script><!--<script>\"'\\\n"
                      "<!-- data -->\0\x1b[31m",
                      66);
  std::string plain = reportPage(json::Object{{"name", "plain"}});
  std::string page = reportPage(json::Object{{hostile, hostile}});
  for (StringRef tag : {"<script", "</script", "<!--"})
    EXPECT_EQ(occurrences(page, tag), occurrences(plain, tag)) << tag.str();

  StringRef rest = StringRef(page).split(kReportDataBegin).second;
  llvm::Expected<json::Value> data =
      json::parse(rest.split(kReportBlockEnd).first);
  ASSERT_TRUE(bool(data)) << llvm::toString(data.takeError());
  EXPECT_EQ(data->getAsObject()->getString(hostile), StringRef(hostile));
}

TEST(ReportPage, needsNoOtherFile) {
  std::string page = reportPage(json::Object{});
  for (StringRef reference : {"src=", "href=\"style", "url(", "@import"})
    EXPECT_EQ(StringRef(page).count(reference), 0u) << reference.str();
  EXPECT_EQ(occurrences(page, kReportBlocks), 0u);
  EXPECT_EQ(occurrences(page, kReportProfileBegin), 1u);
}
