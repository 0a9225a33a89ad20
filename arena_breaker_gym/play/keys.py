"""Keys that ask something of the window; those of play are the agent's, in `agents/inputs`."""

import pygame

FULL_SCREEN = pygame.K_F11
MUTE = pygame.K_n
CLIP = pygame.K_c
SKIP = pygame.K_SPACE  # besides Enter: ends the countdown
