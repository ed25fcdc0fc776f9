// Numbers and layouts that user space is compiled against.
#include <gtest/gtest.h>

#include "uapi/iommu.hpp"
#include "uapi/vfio.hpp"

namespace ioasim::uapi {
namespace {

TEST(UapiLayout, VfioNumbersAreThePublishedOnes) {
  EXPECT_EQ(VFIO_DEVICE_GET_INFO, 0x3b6bu);
  EXPECT_EQ(VFIO_DEVICE_GET_REGION_INFO, 0x3b6cu);
  EXPECT_EQ(VFIO_DEVICE_SET_IRQS, 0x3b6eu);
}

TEST(UapiLayout, DeviceRequestsAreBasePlus22To24AsInRfcV2) {
  EXPECT_EQ(VFIO_DEVICE_BIND_IOMMU_FD, 0x3b00u + 100 + 22);
  EXPECT_EQ(VFIO_DEVICE_ATTACH_IOASID, 0x3b00u + 100 + 23);
  EXPECT_EQ(VFIO_DEVICE_DETACH_IOASID, 0x3b00u + 100 + 24);
}

TEST(UapiLayout, IommuRequestsCountFrom100InTheOrderOfRfcV2) {
  EXPECT_EQ(IOMMU_CHECK_EXTENSION, 0x3b64u);
  EXPECT_EQ(IOMMU_DEVICE_GET_INFO, 0x3b65u);
  EXPECT_EQ(IOMMU_IOASID_ALLOC, 0x3b66u);
  EXPECT_EQ(IOMMU_IOASID_FREE, 0x3b67u);
  EXPECT_EQ(IOMMU_MAP_DMA, 0x3b68u);
  EXPECT_EQ(IOMMU_UNMAP_DMA, 0x3b69u);
}

TEST(UapiLayout, PayloadFollowsTheHeadWithoutAGap) {
  EXPECT_EQ(offsetof(iommu_map_dma, map.vaddr), 24u);
  EXPECT_EQ(offsetof(iommu_map_dma, map.iova), 32u);
  EXPECT_EQ(offsetof(iommu_unmap_dma, unmap.iova), 24u);
  EXPECT_EQ(offsetof(iommu_unmap_dma, unmap.size), 32u);
}

}  // namespace
}  // namespace ioasim::uapi
