"""Devices that measure joints: exoskeletons, leader arms, suits and gloves."""
