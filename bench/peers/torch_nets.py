"""The nets of the bench, with the parameter paths of our models."""
import torch
from torch import nn
from torch.nn import functional as F

from torch_mobile_nets import EfficientNetLite0, MobileNetV2


class TutorialCnn(nn.Module):
    flattened = {"fc1.weight": (5, 5, 16)}

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(F.relu(self.fc2(x)))


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or cin != cout:
            conv = nn.Conv2d(cin, cout, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(cout))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):
    flattened = {}

    def __init__(self, big):
        super().__init__()
        self.big = big
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False) if big else nn.Conv2d(
            3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        cin = 64
        for k, cout in enumerate((64, 128, 256, 512)):
            first = BasicBlock(cin, cout, 1 if k == 0 else 2)
            setattr(self, f"layer{k + 1}", nn.Sequential(first, BasicBlock(cout, cout, 1)))
            cin = cout
        self.fc = nn.Linear(512, 1000 if big else 10)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        if self.big:
            x = F.max_pool2d(x, 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


NETS = {
    "tutorial-cnn": TutorialCnn,
    "resnet18-small": lambda: ResNet18(False),
    "resnet18": lambda: ResNet18(True),
    "mobilenet_v2": MobileNetV2,
    "tf_efficientnet_lite0": EfficientNetLite0,
}
