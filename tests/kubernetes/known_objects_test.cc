// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/known_objects.h"

#include <gtest/gtest.h>

#include "fixture.h"

namespace masflow::internal {
namespace {

PodNames Pod(const char* uid, const char* name) {
  return {.uid = uid, .name = name};
}

TEST(KubernetesKnownObjects, OnlyChangesAreTold) {
  kubernetes_test::Told told;
  KnownObjects known(&told);
  known.Put(Pod("u", "a"));
  known.Put(Pod("u", "a"));
  EXPECT_EQ(told.told, 1);
  PodNames changed = Pod("u", "a");
  changed.containers.push_back({.id = "1", .name = "c"});
  known.Put(changed);
  known.Put(changed);
  EXPECT_EQ(told.told, 2);
  changed.labels.emplace_back("k", "v");
  known.Put(changed);
  EXPECT_EQ(told.told, 3);
}

TEST(KubernetesKnownObjects, WhatAListLeavesOutIsGone) {
  kubernetes_test::Told told;
  KnownObjects known(&told);
  known.BeginList();
  known.Put(Pod("1", "a"));
  known.Put(Pod("2", "b"));
  known.Put(ServiceNames{.service_namespace = "n", .name = "s"});
  known.EndList();
  known.BeginList();
  known.Put(Pod("2", "b"));
  EXPECT_EQ(told.pods.size(), 2U) << "gone before the list ended";
  known.BeginList();  // that one broke off
  known.Put(Pod("2", "b"));
  known.EndList();
  EXPECT_EQ(told.pods.size(), 1U);
  EXPECT_TRUE(told.pods.contains("2"));
  EXPECT_TRUE(told.services.empty());
  EXPECT_EQ(known.size(), 1U);
}

TEST(KubernetesKnownObjects, GoneIsToldOnce) {
  kubernetes_test::Told told;
  KnownObjects known(&told);
  known.Put(ServiceNames{.service_namespace = "n", .name = "s", .cluster_ips = {"10.0.0.1"}});
  EXPECT_EQ(told.services.size(), 1U);
  known.Gone(ServiceNames{.service_namespace = "n", .name = "s"});
  known.Gone(ServiceNames{.service_namespace = "n", .name = "s"});
  EXPECT_TRUE(told.services.empty());
  EXPECT_EQ(known.size(), 0U);
}

}  // namespace
}  // namespace masflow::internal
