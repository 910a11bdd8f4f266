// What the lab's PC has beside what QEMU's firmware tables tell of: a platform device, for uio_pdrv_genirq.
// It is comparator 2 of the HPET, which Linux leaves to user space. `iasl platform_devices.asl` makes the .aml.
// "ReadOnly" because uio_pdrv_genirq passes over memory that has any flag but that of memory, and ReadWrite is one; it
// keeps nobody from writing.
// Source: drivers/uio/uio_pdrv_genirq.c; drivers/acpi/resource.c, acpi_dev_memresource_flags; ACPI specification 6.5,
// 6.2.5 (_DSD); IA-PC HPET specification 1.0a, 2.3; hw/timer/hpet.c of QEMU.
DefinitionBlock ("platform_devices.aml", "SSDT", 2, "UIOWL", "LAB", 1)
{
    Device (\_SB.ALRM)
    {
        Name (_HID, "UIOW0001")
        Name (_STA, 0x0F)
        Name (_CRS, ResourceTemplate ()
        {
            Memory32Fixed (ReadOnly, 0xFED00000, 0x100)    // capabilities, configuration, status, counter
            Memory32Fixed (ReadOnly, 0xFED00140, 0x20)     // comparator 2, in the middle of the same page
            Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { 20 }
        })
        Name (_DSD, Package ()
        {
            ToUUID ("daffd814-6eba-4d8c-8a91-bc9bbf4aa301"),    // device properties
            Package () { Package () { "linux,uio-name", "hpet-alarm" } }
        })
    }
}
